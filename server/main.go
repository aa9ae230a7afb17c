//go:build !js

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"anteroom/server/internal/operator"
)

// version is set by the linker; see the Makefile.
var version = "dev"

// usageError is a mistake of the operator's: one sentence, exit code 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], environment{os.LookupEnv, os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// environment is what the program takes from its surroundings.
type environment struct {
	lookup         func(string) (string, bool)
	stdin          io.Reader
	stdout, stderr io.Writer
}

const usage = `Anteroom is a chat for websites.

  anteroom serve [flags]        run the server (anteroom serve -h lists the flags)
` + operator.Usage + `  anteroom --version            print the version
  anteroom licenses             print what it is made of, with the licenses
`

// run runs one command and returns its exit code.
func run(ctx context.Context, args []string, env environment) int {
	if len(args) > 0 && slices.Contains(operator.Commands, args[0]) {
		return operator.Run(ctx, args, operator.Env{
			Lookup: env.lookup, Stdin: env.stdin, Stdout: env.stdout, Stderr: env.stderr, Open: openStorage,
		})
	}
	err := command(ctx, args, env)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, new(usageError)):
		fmt.Fprintln(env.stderr, "anteroom:", err)
		return 2
	default:
		fmt.Fprintln(env.stderr, "anteroom:", err)
		return 1
	}
}

func command(ctx context.Context, args []string, env environment) error {
	if len(args) == 0 {
		fmt.Fprint(env.stderr, usage)
		return usagef("say what to do, e.g. anteroom serve")
	}
	switch args[0] {
	case "serve":
		c, err := parseServe(args[1:], env)
		if err != nil {
			return err
		}
		return serve(ctx, c, env)
	case "version", "--version", "-version":
		fmt.Fprintln(env.stdout, "anteroom", version)
		return nil
	case "licenses":
		fmt.Fprint(env.stdout, thirdParty)
		return nil
	case "help", "-h", "--help", "-help":
		fmt.Fprint(env.stdout, usage)
		return nil
	}
	return usagef("there is no command %q; anteroom help lists them", args[0])
}
