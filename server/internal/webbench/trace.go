//go:build !js

package main

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// traced is what a trace says of the page's main thread.
type traced struct {
	Name string
	Ph   string
	Ts   float64
	Dur  float64
	Tdur float64 // of the thread, without what others took of the processor
	Args struct {
		Data struct{ URL, ScriptName string }
	}
}

// trace begins to record what the page's scripts do.
func (b *browser) trace() error {
	b.mu.Lock()
	b.events, b.traced = nil, make(chan struct{})
	b.mu.Unlock()
	return b.call("Tracing.start", map[string]any{
		"transferMode": "ReportEvents",
		"traceConfig":  map[string]any{"includedCategories": []string{"devtools.timeline"}},
	}, nil)
}

// loaderTime is how long the scripts of a URL ran in all and at a time, in
// milliseconds of a processor four times as slow. It is measured without
// throttling, in the thread's own time, and multiplied: the throttling busies the
// thread itself, and what else ran on the machine is not the loader's.
func (b *browser) loaderTime(url string) (total, longest float64, err error) {
	if err := b.call("Tracing.end", nil, nil); err != nil {
		return 0, 0, err
	}
	select {
	case <-b.traced:
	case <-time.After(patience):
		return 0, 0, errors.New("the trace does not end")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, raw := range b.events {
		var e traced
		if json.Unmarshal(raw, &e) != nil || e.Ph != "X" {
			continue
		}
		from := e.Args.Data.URL
		switch e.Name {
		case "EvaluateScript", "v8.compile", "FunctionCall":
		default:
			continue
		}
		if !strings.HasPrefix(from, url) {
			continue
		}
		took := e.Tdur / 1000 * 4
		if e.Name != "v8.compile" { // which lies within the evaluation
			total += took
		}
		longest = max(longest, took)
	}
	return total, longest, nil
}
