//go:build !js

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// lighthouse measures the demo shop with and without the embed, by turns: its
// performance preset for telephones, simulated throttling. The tool lies in dir.
func lighthouse(s *server, dir string, runs int, add func(figures)) error {
	tool := filepath.Join(dir, "node_modules", "lighthouse", "cli", "index.js")
	if _, err := os.Stat(tool); err != nil {
		fmt.Fprintln(os.Stderr, "no Lighthouse in", dir+": its rows are left out")
		return nil
	}
	path, err := chromium()
	if err != nil {
		return err
	}
	score := func() (points, blocking float64, err error) {
		cmd := exec.Command("node", tool, s.shop.URL+"/products/blue-bowl", "--quiet", "--output=json", "--only-categories=performance",
			"--chrome-flags=--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage")
		cmd.Env = append(os.Environ(), "CHROME_PATH="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return 0, 0, fmt.Errorf("lighthouse: %w", err)
		}
		var r struct {
			Categories struct{ Performance struct{ Score float64 } }
			Audits     map[string]struct{ NumericValue float64 }
		}
		if err := json.Unmarshal(out, &r); err != nil {
			return 0, 0, err
		}
		return r.Categories.Performance.Score * 100, r.Audits["total-blocking-time"].NumericValue, nil
	}
	s.front.delay.Store(0)
	defer s.shop.strip.Store(false)
	for range runs {
		f := figures{}
		for _, with := range []bool{true, false} {
			s.shop.strip.Store(!with)
			points, blocking, err := score()
			if err != nil {
				return err
			}
			name := "without"
			if with {
				name = "with"
			}
			f["lighthouse "+name], f["lighthouse blocking "+name] = points, blocking
		}
		add(f)
	}
	return nil
}
