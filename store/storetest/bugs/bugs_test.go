package bugs

import "testing"

func TestApply(t *testing.T) {
	const src = "a\nb\nc\nd\n"
	for name, c := range map[string]struct{ hunks, want string }{
		"changes a line":             {"+++ b/x\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n", "a\nB\nc\nd\n"},
		"does not mind line numbers": {"+++ b/x\n@@ -91,2 +91,3 @@\n c\n+x\n d\n", "a\nb\nc\nx\nd\n"},
		"applies two hunks":          {"+++ b/x\n@@ -1 +1 @@\n-a\n+A\n@@ -4 +4 @@\n-d\n+D\n", "A\nb\nc\nD\n"},
		"refuses what is not there":  {"+++ b/x\n@@ -1,2 +1,2 @@\n a\n-x\n+B\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := apply(src, c.hunks)
			if got != c.want || (err != nil) != (c.want == "") {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}
