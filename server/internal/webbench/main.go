//go:build !js

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// plan says what to measure.
type plan struct {
	runs  int
	title string
	out   string
	only  string
	bins  map[string]string // variant → binary
	names []string
}

func main() {
	p := plan{bins: map[string]string{}}
	flag.IntVar(&p.runs, "runs", 5, "runs of each variant")
	flag.StringVar(&p.out, "out", "out/bench-web", "folder for the figures")
	flag.StringVar(&p.only, "only", "", "measure only parts whose name contains this")
	flag.Func("bin", "`name=path` of a binary; the first is the product, others are compared with it", func(v string) error {
		name, path, ok := strings.Cut(v, "=")
		if !ok {
			return fmt.Errorf("want name=path")
		}
		p.bins[name] = path
		p.names = append(p.names, name)
		return nil
	})
	flag.Parse()
	p.title = "`make bench-web`"
	if err := run(p); err != nil {
		fmt.Fprintln(os.Stderr, "webbench:", err)
		os.Exit(1)
	}
}

func run(p plan) error {
	if len(p.names) == 0 {
		p.names, p.bins = []string{"default"}, map[string]string{"default": "bin/anteroom"}
	}
	begun := time.Now()
	res := results{}
	servers := map[string]*server{}
	guests := map[string]*guest{}
	for _, name := range p.names {
		s, err := start(name, p.bins[name])
		if err != nil {
			return err
		}
		defer s.stop()
		servers[name] = s
		if guests[name], err = s.chatted(40); err != nil {
			return err
		}
	}
	for i := range p.runs {
		for _, name := range p.names {
			s, g := servers[name], guests[name]
			for _, mid := range []bool{true, false} {
				for _, v := range visits {
					if name != p.names[0] && !v.compared || mid && v.name == "loader" || !strings.Contains(v.name, p.only) {
						continue
					}
					f, err := one(s, g, mid, v)
					if err != nil {
						return fmt.Errorf("%s, %s, mid %v, run %d: %w", name, v.name, mid, i+1, err)
					}
					res.add(name, speed(mid), f)
				}
			}
		}
		fmt.Fprintf(os.Stderr, "run %d of %d done after %.0f s\n", i+1, p.runs, time.Since(begun).Seconds())
	}
	first := servers[p.names[0]]
	if strings.Contains("lighthouse", p.only) {
		if err := lighthouse(first, p.out, min(p.runs, 5), func(f figures) { res.add(p.names[0], atMid, f) }); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "Lighthouse done after %.0f s\n", time.Since(begun).Seconds())
	}
	if strings.Contains("long room", p.only) {
		for range min(p.runs, 2) {
			f := figures{}
			if err := longRoom(first, f); err != nil {
				return fmt.Errorf("long room: %w", err)
			}
			res.add(p.names[0], atMid, f)
		}
		fmt.Fprintf(os.Stderr, "long rooms done after %.0f s\n", time.Since(begun).Seconds())
	}
	if err := os.MkdirAll(p.out, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(res, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.out, "figures.json"), text, 0o644); err != nil {
		return err
	}
	table := res.table(p)
	fmt.Print(table)
	return os.WriteFile(filepath.Join(p.out, "table.md"), []byte(table), 0o644)
}

// visit is what one browser does in one run.
type visit struct {
	name     string
	compared bool // also in the variants
	do       func(b *browser, s *server, g *guest, f figures, throttle func() error) error
}

var visits = []visit{
	{"first", false, func(b *browser, s *server, _ *guest, f figures, throttle func() error) error {
		if err := throttle(); err != nil {
			return err
		}
		if err := b.atOnce(s, f, "cold"); err != nil {
			return err
		}
		return b.atOnce(s, f, "repeat")
	}},
	{"back", true, func(b *browser, s *server, g *guest, f figures, throttle func() error) error {
		if err := b.remember(s, g); err != nil {
			return err
		}
		if err := throttle(); err != nil {
			return err
		}
		if err := b.back(s, f, "cold"); err != nil {
			return err
		}
		time.Sleep(time.Second) // the cache is written
		return b.back(s, f, "repeat")
	}},
	{"loader", false, func(b *browser, s *server, _ *guest, f figures, _ func() error) error { return b.loader(s, f) }},
	{"settled", false, func(b *browser, s *server, _ *guest, f figures, throttle func() error) error {
		if err := throttle(); err != nil {
			return err
		}
		return b.settled(s, f, 400*time.Millisecond)
	}},
	{"settled, no hover", false, func(b *browser, s *server, _ *guest, f figures, throttle func() error) error {
		if err := throttle(); err != nil {
			return err
		}
		return b.settled(s, f, 0)
	}},
}

func one(s *server, g *guest, mid bool, v visit) (figures, error) {
	b, err := launch()
	if err != nil {
		return nil, err
	}
	defer b.stop()
	s.front.delay.Store(0)
	if mid {
		s.front.delay.Store(int64(latency / 2))
	}
	f := figures{}
	return f, v.do(b, s, g, f, func() error { return b.throttle(mid) })
}
