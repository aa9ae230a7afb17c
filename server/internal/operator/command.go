//go:build !js

package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"anteroom/server/auth"
	"anteroom/server/storage"
	"anteroom/store/chat"
)

// Env is what the commands take from their surroundings.
type Env struct {
	Lookup         func(name string) (string, bool) // the environment
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Open opens the database in a data folder; it is called where no server
	// runs. It fails with storage.ErrBusy if another process has it open.
	Open func(ctx context.Context, data string) (storage.Storage, error)
	// Patience is how long to wait for a process that has the database open
	// but does not listen (yet); 5 s.
	Patience time.Duration
}

// Usage lists the commands, for the program's help.
const Usage = `  anteroom user add [--name NAME] [--role user|admin] [--password-stdin] USERNAME
  anteroom user passwd [--password-stdin] USERNAME
  anteroom user role USERNAME user|admin
  anteroom user disable|enable USERNAME
  anteroom user list
  anteroom vendor add [--avatar LETTERS] SLUG NAME
  anteroom vendor member [--remove] SLUG USERNAME
  anteroom vendor list
  anteroom explain ROOM USER|GUEST_SESSION|SESSION
  anteroom audit [--before ROW]
  anteroom backup FILE
`

// Commands are the first words that Run takes.
var Commands = []string{"user", "vendor", "explain", "audit", "backup"}

// usageError is a mistake of the operator's: exit code 2.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errHelp asks for the list of commands.
var errHelp = errors.New("help")

// request is one command, ready to be carried out.
type request struct {
	Command  string    `json:"command"`
	User     string    `json:"user,omitempty"` // username or id
	Name     string    `json:"name,omitempty"`
	Role     chat.Role `json:"role,omitempty"`
	Password string    `json:"password,omitempty"`
	Slug     string    `json:"slug,omitempty"`
	Avatar   string    `json:"avatar,omitempty"`
	Remove   bool      `json:"remove,omitempty"`
	Room     string    `json:"room,omitempty"`
	About    string    `json:"about,omitempty"`
	Before   int64     `json:"before,omitempty"`

	file  string // of a backup; written where the command was typed
	fresh bool   // may make the data folder
}

// options are the flags of all commands; each command names those it takes.
type options struct {
	data, name, role, avatar string
	passwordStdin, remove    bool
	before                   int64
	passwordMemory           uint
}

// spec is one command's form.
type spec struct {
	words    string // "user add"
	flags    string // names of its own flags
	args     string // what follows, for messages
	count    int    // how many arguments
	password bool
	fresh    bool // makes sense in a data folder that is not there yet
	build    func(o options, args []string) request
}

var specs = []spec{
	{"user add", "name role password-stdin", "USERNAME", 1, true, true, func(o options, a []string) request {
		return request{User: a[0], Name: o.name, Role: chat.Role(o.role)}
	}},
	{"user passwd", "password-stdin", "USERNAME", 1, true, false, func(_ options, a []string) request { return request{User: a[0]} }},
	{"user role", "", "USERNAME user|admin", 2, false, false, func(_ options, a []string) request {
		return request{User: a[0], Role: chat.Role(a[1])}
	}},
	{"user disable", "", "USERNAME", 1, false, false, func(_ options, a []string) request { return request{User: a[0]} }},
	{"user enable", "", "USERNAME", 1, false, false, func(_ options, a []string) request { return request{User: a[0]} }},
	{"user list", "", "", 0, false, false, func(options, []string) request { return request{} }},
	{"vendor add", "avatar", "SLUG NAME", 2, false, true, func(o options, a []string) request {
		return request{Slug: a[0], Name: a[1], Avatar: o.avatar}
	}},
	{"vendor member", "remove", "SLUG USERNAME", 2, false, false, func(o options, a []string) request {
		return request{Slug: a[0], User: a[1], Remove: o.remove}
	}},
	{"vendor list", "", "", 0, false, false, func(options, []string) request { return request{} }},
	{"explain", "", "ROOM and a username, or the id of a user, guest session or session", 2, false, false, func(_ options, a []string) request {
		return request{Room: a[0], About: a[1]}
	}},
	{"audit", "before", "", 0, false, false, func(o options, _ []string) request { return request{Before: o.before} }},
	{"backup", "", "FILE", 1, false, false, func(_ options, a []string) request { return request{file: a[0]} }},
}

// Run runs one command, args beginning with its first word, and returns the
// exit code: 0, 1 for a failure, 2 for a mistake of the operator's. It prints
// one sentence about either to env.Stderr.
func Run(ctx context.Context, args []string, env Env) int {
	err := run(ctx, args, env)
	if err == nil {
		return 0
	}
	if errors.Is(err, errHelp) {
		fmt.Fprint(env.Stdout, Usage, "\nEach takes --data FOLDER too (default ./data, or ANTEROOM_DATA).\n")
		return 0
	}
	fmt.Fprintln(env.Stderr, "anteroom:", oneLine(message(err)))
	return exitCode(err)
}

func run(ctx context.Context, args []string, env Env) error {
	sp, rest, err := find(args)
	if err != nil {
		return err
	}
	o, rest, err := parse(sp, rest, env)
	if err != nil {
		return err
	}
	if len(rest) != sp.count {
		if sp.count == 0 {
			return usagef("%s takes nothing more, but got %q", sp.words, rest[0])
		}
		return usagef("%s needs %s; anteroom help lists the commands", sp.words, sp.args)
	}
	q := sp.build(o, rest)
	q.Command, q.fresh = sp.words, sp.fresh
	if err := check(q); err != nil {
		return err
	}
	if sp.password {
		if q.Password, err = readPassword(ctx, env, o.passwordStdin); err != nil {
			return err
		}
	}
	hasher := auth.DefaultParams
	if o.passwordMemory > 0 {
		hasher.Memory = uint32(o.passwordMemory)
	}
	return dispatch(ctx, o.data, hasher, q, env)
}

// find tells which command args begin with.
func find(args []string) (spec, []string, error) {
	if n := len(args); n == 0 || n <= 2 && slices.Contains([]string{"-h", "-help", "--help", "help"}, args[n-1]) {
		return spec{}, nil, errHelp
	}
	for _, n := range []int{1, 2} {
		if len(args) < n {
			break
		}
		for _, sp := range specs {
			if sp.words == strings.Join(args[:n], " ") {
				return sp, args[n:], nil
			}
		}
	}
	var known []string
	for _, sp := range specs {
		if first, second, _ := strings.Cut(sp.words, " "); first == args[0] {
			known = append(known, second)
		}
	}
	if known == nil {
		return spec{}, nil, usagef("there is no command %q; anteroom help lists them", args[0])
	}
	return spec{}, nil, usagef("say which: anteroom %s %s", args[0], strings.Join(known, "|"))
}

// parse reads flags before, between and behind the arguments.
func parse(sp spec, args []string, env Env) (options, []string, error) {
	var o options
	all := flag.NewFlagSet(sp.words, flag.ContinueOnError)
	all.StringVar(&o.name, "name", "", "")
	all.StringVar(&o.role, "role", "", "")
	all.StringVar(&o.avatar, "avatar", "", "")
	all.BoolVar(&o.passwordStdin, "password-stdin", false, "")
	all.BoolVar(&o.remove, "remove", false, "")
	all.Int64Var(&o.before, "before", 0, "")
	all.StringVar(&o.data, "data", "./data", "")
	all.UintVar(&o.passwordMemory, "password-memory", 0, "")

	fs := flag.NewFlagSet(sp.words, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	own := strings.Fields(sp.flags)
	all.VisitAll(func(f *flag.Flag) {
		if f.Name == "data" || f.Name == "password-memory" || slices.Contains(own, f.Name) {
			fs.Var(f.Value, f.Name, "")
		}
	})
	for _, name := range []string{"data", "password-memory"} {
		variable := "ANTEROOM_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if v, ok := env.Lookup(variable); ok {
			if err := fs.Set(name, v); err != nil {
				return o, nil, usagef("%s=%q is no value for --%s", variable, v, name)
			}
		}
	}
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return o, nil, errHelp
			}
			return o, nil, usagef("%s: %w", sp.words, err)
		}
		ended := len(args) > fs.NArg() && args[len(args)-fs.NArg()-1] == "--"
		args = fs.Args()
		if len(args) == 0 || ended {
			rest = append(rest, args...)
			break
		}
		rest, args = append(rest, args[0]), args[1:]
	}
	if o.data == "" {
		return o, nil, usagef("--data must name a folder")
	}
	if o.passwordMemory > auth.MaxMemory {
		return o, nil, usagef("--password-memory must be at most %d", auth.MaxMemory)
	}
	return o, rest, nil
}

// check finds the mistakes that can be found before anything is opened or asked.
func check(q request) error {
	var err error
	switch q.Command {
	case "user add":
		_, err = auth.ParseUsername(q.User)
		if err == nil && q.Name != "" {
			_, err = chat.ParseName(q.Name)
		}
		if q.Role == "" {
			break
		}
		fallthrough
	case "user role":
		if err == nil && q.Role != chat.RoleUser && q.Role != chat.RoleAdmin {
			err = fmt.Errorf("role must be user or admin, not %q", q.Role)
		}
	case "vendor add":
		if _, err = chat.ParseSlug(q.Slug); err == nil {
			_, err = chat.ParseName(q.Name)
		}
		if err == nil && len([]rune(q.Avatar)) > 2 {
			err = errors.New("avatar must have one or two letters")
		}
	case "explain":
		_, err = chat.ParseRoomID(q.Room)
	case "backup":
		if _, serr := os.Lstat(q.file); serr == nil {
			err = fmt.Errorf("%s is there already and is not replaced", q.file)
		}
	}
	if err != nil {
		return usageError{err}
	}
	return nil
}

// message is an error as the operator reads it.
func message(err error) string {
	if e, ok := errors.AsType[*chat.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

func exitCode(err error) int {
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	for _, e := range []error{storage.ErrNewer, storage.ErrReadOnly, os.ErrPermission} {
		if errors.Is(err, e) {
			return 2
		}
	}
	if chat.CodeOf(err) == chat.CodeInvalid {
		return 2
	}
	return 1
}

// oneLine keeps what an operator sees on one line and free of control characters.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
