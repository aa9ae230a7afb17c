//go:build !js

package main

import (
	"regexp"
	"strings"
	"testing"
)

// TestReadmeCommands runs every command the README gives for the program, in
// order, on one data folder; serve is only parsed.
func TestReadmeCommands(t *testing.T) {
	page := readme(t)
	t.Chdir(t.TempDir()) // backups are written where one is
	vars := map[string]string{"ANTEROOM_DATA": t.TempDir(), "ANTEROOM_PASSWORD_MEMORY": "64"}
	ran := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[1]) {
			words := shellWords(line)
			if len(words) == 0 || words[0] != "anteroom" {
				continue
			}
			ran++
			if words[1] == "serve" {
				if _, err := parseServe(words[2:], environment{lookup: func(string) (string, bool) { return "", false }, stdout: new(output)}); err != nil {
					t.Errorf("%s: %v", strings.TrimSpace(line), err)
				}
				continue
			}
			if words[1] == "user" && words[2] == "add" { // there is no terminal to ask
				words = append(words[:3:3], append([]string{"--password-stdin"}, words[3:]...)...)
			}
			if code, stdout, stderr := runCommand(t, vars, words[1:]...); code != 0 {
				t.Errorf("%s: exit code %d: %s%s", strings.TrimSpace(line), code, stdout, stderr)
			}
		}
	}
	if ran < 6 {
		t.Errorf("found only %d commands in the README", ran)
	}
}

// shellWords cuts a line into words as a shell would, as far as the README goes.
func shellWords(line string) []string {
	line, _, _ = strings.Cut(line, " #")
	var out []string
	for _, m := range regexp.MustCompile(`"([^"]*)"|\S+`).FindAllStringSubmatch(line, -1) {
		if m[1] != "" {
			out = append(out, m[1])
		} else {
			out = append(out, m[0])
		}
	}
	return out
}
