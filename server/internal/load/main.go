//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"anteroom/server/storage/sqlite"
)

func main() {
	var err error
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		err = serve(os.Args[2:])
	} else if err = bind(); err == nil {
		err = measure(os.Args[1:])
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// bench is what one call measures, and with what.
type bench struct {
	self, server, centrifugo string
	only                     []string // measurements
	servers                  []string // nil for all
	rounds                   int
	span                     span
	size                     plan
	levels                   []int         // of idle clients
	storms                   int           // returning clients
	rest                     time.Duration // before memory is looked at
	profile                  string

	dir    string // of the database and of lists of seats
	house  house  // in the database
	report report
}

// sizes are what is measured under a name. Rooms of two are 5,000 also in the
// brief form: with fewer, caches and queues would tell another story.
var sizes = map[string]struct {
	plan
	levels []int
	storms int
	rounds int
	time   time.Duration
}{
	"tiny":  {plan{Solo: 60, Pairs: 10, Hall: 10}, []int{20, 60}, 60, 1, 500 * time.Millisecond},
	"brief": {plan{Solo: 1_000, Pairs: 5_000, Hall: 1_000}, []int{1_000}, 1_000, 1, 3 * time.Second},
	"full":  {plan{Solo: 19_000, Pairs: 5_000, Hall: 1_000}, []int{1_000, 10_000, 19_000}, 15_000, 3, 5 * time.Second},
}

func measure(args []string) (err error) {
	var b bench
	fs := flag.NewFlagSet("load", flag.ContinueOnError)
	fs.StringVar(&b.server, "server", "", "the product's `program`; without it the same wiring in this one")
	fs.StringVar(&b.centrifugo, "centrifugo", "", "Centrifugo's `program`; without it the ceiling is the only peer")
	only := fs.String("only", "idle,pairs,hall,storm", "what to measure")
	name := fs.String("size", "brief", "brief (some minutes), full (most of an hour), or tiny to see that it works")
	rounds := fs.Int("rounds", 0, "times that each server of a comparison is measured; the size's own where 0")
	run := fs.Duration("time", 0, "how long one measurement lasts; the size's own where 0")
	servers := fs.String("servers", "", "measure these only, such as anteroom-memory,centrifugo")
	fs.StringVar(&b.profile, "profile", "", "`folder` for CPU and heap profiles of our own servers")
	if err := fs.Parse(args); err != nil {
		return err
	}
	sz, ok := sizes[*name]
	if !ok {
		return fmt.Errorf("there is no size %q", *name)
	}
	b.size, b.levels, b.storms, b.rounds, b.span, b.rest = sz.plan, sz.levels, sz.storms, sz.rounds, span{run: sz.time}, 6*time.Second
	if *rounds > 0 {
		b.rounds = *rounds
	}
	if *run > 0 {
		b.span.run = *run
	}
	b.span.warm = b.span.run / 4
	b.only = strings.Split(*only, ",")
	if *servers != "" {
		b.servers = strings.Split(*servers, ",")
	}
	// Only who is needed is made.
	for part, size := range map[string]*int{"idle storm": &b.size.Solo, "pairs": &b.size.Pairs, "hall": &b.size.Hall} {
		if !slices.ContainsFunc(b.only, func(s string) bool { return slices.Contains(strings.Fields(part), s) }) {
			*size = 0
		}
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "anteroom-load-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	b.report.out = os.Stdout
	if !pinned {
		fmt.Println("# servers and clients share the processors: there is one only, or no taskset")
	}
	if b.centrifugo == "" {
		fmt.Println("# Centrifugo is not here: compared with the ceiling only")
	}
	if err := b.all(); err != nil {
		return err
	}
	if *name != "tiny" { // whose figures are of no work that has a goal
		b.report.table()
	}
	return nil
}

// all measures what is asked for.
func (b *bench) all() error {
	began := time.Now()
	if err := b.fill(); err != nil {
		return fmt.Errorf("fill the database: %w", err)
	}
	fmt.Fprintf(b.report.out, "# filled a database in %s\n", time.Since(began).Round(time.Second))
	for _, name := range b.only {
		f, ok := map[string]func() error{"idle": b.idle, "pairs": b.pairs, "hall": b.hall, "storm": b.storm}[name]
		if !ok {
			return fmt.Errorf("there is no measurement %q", name)
		}
		if err := f(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (b *bench) fill() error {
	if !b.asked(b.durable()) {
		b.house = b.size.empty() // nobody asks for the database
		return nil
	}
	ctx := context.Background()
	db, err := sqlite.Open(ctx, filepath.Join(b.dir, "anteroom.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	b.house, err = fill(ctx, db, b.size)
	return errors.Join(err, db.Close())
}

// A contender is one server of a comparison.
type contender struct {
	name  string
	d     dialect
	start func(all bool) (*process, house, error)
}

func (b *bench) durable() contender {
	return contender{name: "anteroom-sqlite", d: ours{}, start: func(all bool) (*process, house, error) {
		args := []string{"serve", "--addr", "127.0.0.1:0", "--data", b.dir, "--log-level", "warn", "--limit", raised}
		program := b.server
		if program == "" || b.profile != "" {
			program, args = b.self, []string{"serve", "-storage", "sqlite", "-data", b.dir}
		}
		p, err := start(all, program, args...)
		return p, b.house, err
	}}
}

func (b *bench) inMemory(size plan) contender {
	return contender{name: "anteroom-memory", d: ours{}, start: func(all bool) (p *process, h house, err error) {
		seats := filepath.Join(b.dir, "seats.json")
		p, err = start(all, b.self, "serve", "-storage", "memory", "-seats", seats,
			fmt.Sprint("-solo=", size.Solo), fmt.Sprint("-pairs=", size.Pairs), fmt.Sprint("-hall=", size.Hall))
		if err != nil {
			return nil, h, err
		}
		list, err := os.ReadFile(seats)
		if err == nil {
			err = json.Unmarshal(list, &h)
		}
		return p, h, err
	}}
}

func (b *bench) ceiling() contender {
	return contender{name: "ceiling", d: ours{}, start: func(all bool) (*process, house, error) {
		p, err := start(all, b.self, "serve", "-storage", "ceiling")
		return p, b.size.empty(), err
	}}
}

// peers are those we are compared with: Centrifugo where it is there, and the ceiling.
func (b *bench) peers() []contender {
	all := []contender{b.ceiling()}
	if b.centrifugo != "" {
		all = append([]contender{{name: "centrifugo", d: centrifugo{}, start: func(all bool) (*process, house, error) {
			p, err := startCentrifugo(all, b.centrifugo)
			return p, b.size.empty(), err
		}}}, all...)
	}
	return all
}

// asked tells whether a server is to be measured.
func (b *bench) asked(c contender) bool {
	return b.servers == nil || slices.Contains(b.servers, c.name)
}

// compare measures the contenders in turn, rounds times.
func (b *bench) compare(name string, all []contender, f func(contender, *process, house) ([]figure, error)) error {
	for range b.rounds {
		for _, c := range all {
			if !b.asked(c) {
				continue
			}
			p, h, err := c.start(false)
			if err != nil {
				return fmt.Errorf("start %s: %w", c.name, err)
			}
			if b.profile != "" && c.d == dialect(ours{}) {
				p.profile = filepath.Join(b.profile, name+"-"+c.name+".cpu")
			}
			figures, err := f(c, p, h)
			p.stop()
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if figures != nil {
				b.report.add(name, c.name, figures)
			}
		}
	}
	return nil
}

func (b *bench) pairs() error {
	all := append([]contender{b.durable(), b.inMemory(plan{Pairs: b.size.Pairs})}, b.peers()...)
	return b.compare("Pairs", all, func(c contender, p *process, h house) ([]figure, error) {
		return pairs(p, c.d, h.Pairs, b.span)
	})
}

func (b *bench) hall() error {
	all := append([]contender{b.durable()}, b.peers()...)
	if len(all) > 2 {
		all = all[:2] // the ceiling drops what its channels can't hold, so it is asked only where there is nobody else
	}
	return b.compare("Hall", all, func(c contender, p *process, h house) ([]figure, error) {
		hall, err := enterHall(p, c.d, h.Hall)
		defer hall.leave()
		if err != nil {
			return nil, err
		}
		one := func(name string, f func() ([]figure, error)) error {
			if p.profile != "" {
				p.profile = filepath.Join(b.profile, name+"-"+c.name+".cpu")
			}
			figures, err := f()
			if err == nil {
				b.report.add(name, c.name, figures)
			}
			return err
		}
		err = one("HallSpaced", func() ([]figure, error) { return hall.spaced(40, b.span) })
		if err == nil && c.name != "ceiling" { // which drops what its channels can't hold
			err = one("HallBurst", func() ([]figure, error) { return hall.burst(b.span) })
		}
		return nil, err
	})
}

func (b *bench) storm() error {
	all := append([]contender{b.durable()}, b.peers()...)
	return b.compare("Storm", all, func(c contender, p *process, h house) ([]figure, error) {
		return storm(p, c.d, h.Solo[:b.storms])
	})
}

func (b *bench) idle() error {
	level := func(p *process, c contender, h house, levels []int, collect func() (memory, error)) error {
		defer p.stop()
		return idle(p, c.d, h.Solo[:levels[len(levels)-1]], levels, b.rest, collect, func(n int, f []figure) {
			b.report.add(fmt.Sprintf("Idle%d", n), c.name, f)
		})
	}
	if b.asked(b.durable()) {
		p, err := start(true, b.self, "serve", "-storage", "sqlite", "-data", b.dir)
		if err != nil {
			return err
		}
		err = level(p, b.durable(), b.house, b.levels, func() (m memory, err error) {
			err = p.order("gc", &m)
			if err == nil && b.profile != "" {
				err = p.order("heap "+filepath.Join(b.profile, "idle.heap"), &struct{}{})
			}
			return m, err
		})
		if err != nil {
			return err
		}
	}
	for _, c := range b.peers() {
		if !b.asked(c) {
			continue
		}
		p, h, err := c.start(true)
		if err != nil {
			return err
		}
		var collect func() (memory, error)
		if c.name == "ceiling" {
			collect = func() (m memory, err error) { err = p.order("gc", &m); return m, err }
		}
		if err := level(p, c, h, b.levels[:min(2, len(b.levels))], collect); err != nil {
			return err
		}
	}
	return nil
}
