package rooms

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The only road to a room's events is an admitted value: storage's methods that
// read or append them are called in admit.go and nowhere else, and an admitted
// value is made only there.
func TestOnlyRoad(t *testing.T) {
	events := []string{"Events", "LastMessage", "Append", "Sent", "SetRead", "Receipts", "Notices", "AddNotice"}
	set := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				s, ok := n.Fun.(*ast.SelectorExpr)
				if !ok || !slices.Contains(events, s.Sel.Name) {
					return true
				}
				if found++; name != "admit.go" {
					t.Errorf("%s: %s is called outside admit.go", set.Position(n.Pos()), s.Sel.Name)
				}
			case *ast.CompositeLit:
				if id, ok := n.Type.(*ast.Ident); ok && id.Name == "admitted" && name != "admit.go" {
					t.Errorf("%s: an admitted value is made outside admit.go", set.Position(n.Pos()))
				}
			}
			return true
		})
	}
	if found < len(events) {
		t.Errorf("found %d calls: does this test still look at the right names?", found)
	}
}
