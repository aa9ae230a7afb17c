//go:build !js

package operator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"anteroom/server/auth"
)

// readPassword asks for a password twice on a terminal, or takes the first
// line of standard input if told so.
func readPassword(ctx context.Context, env Env, fromStdin bool) (string, error) {
	var password string
	if fromStdin {
		line, err := bufio.NewReader(io.LimitReader(env.Stdin, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		password = strings.TrimRight(line, "\r\n")
	} else {
		f, ok := env.Stdin.(*os.File)
		if !ok || !term.IsTerminal(int(f.Fd())) {
			return "", usagef("standard input is no terminal to ask for a password on; give it there and say --password-stdin")
		}
		first, err := ask(ctx, env, f, "Password: ")
		if err != nil {
			return "", err
		}
		again, err := ask(ctx, env, f, "Again: ")
		if err != nil {
			return "", err
		}
		if first != again {
			return "", usagef("the two passwords differ")
		}
		password = first
	}
	if _, err := auth.ParsePassword(password); err != nil {
		return "", err
	}
	return password, nil
}

// ask reads one line without echo. An interrupt ends it and brings the echo back.
func ask(ctx context.Context, env Env, f *os.File, prompt string) (string, error) {
	fd := int(f.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	fmt.Fprint(env.Stderr, prompt)
	type answer struct {
		text []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() { // a terminal's read can't be interrupted; it ends with the process
		text, err := term.ReadPassword(fd)
		got <- answer{text, err}
	}()
	select {
	case a := <-got:
		fmt.Fprintln(env.Stderr)
		if a.err != nil {
			return "", fmt.Errorf("ask for the password: %w", a.err)
		}
		return string(a.text), nil
	case <-ctx.Done():
		term.Restore(fd, before)
		fmt.Fprintln(env.Stderr)
		return "", errors.New("interrupted")
	}
}
