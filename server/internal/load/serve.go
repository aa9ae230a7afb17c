//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"time"

	"anteroom/server/auth"
	"anteroom/server/gateway"
	"anteroom/server/internal/metrics"
	"anteroom/server/rooms"
	"anteroom/server/storage"
	"anteroom/server/storage/sqlite"
)

// serve is a server of the measurements' own: what the product wires, on a
// storage of choice, or the ceiling. It ends with its standard input, over which
// it also takes orders: "gc" collects garbage, gives memory back to the system
// and prints a memory line; "profile FILE" and "stop" write a CPU profile.
func serve(args []string) error {
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	kind := fs.String("storage", "memory", "memory, sqlite, or ceiling for the plain fan-out")
	data := fs.String("data", "", "folder of the database")
	var p plan
	fs.IntVar(&p.Solo, "solo", 0, "guests to make, each in a room of their own")
	fs.IntVar(&p.Pairs, "pairs", 0, "rooms of two to make")
	fs.IntVar(&p.Hall, "hall", 0, "members of one great room to make")
	seats := fs.String("seats", "", "file to write who was made to")
	if err := fs.Parse(args); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var handler http.Handler
	switch *kind {
	case "ceiling":
		handler = newCeiling()
	default:
		h, stop, err := wiring(l, *kind, *data, p, *seats)
		if err != nil {
			return err
		}
		defer stop()
		handler = h
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 30 * time.Second}
	defer server.Close()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }() // ends with server.Close
	fmt.Printf("(listening on %s)\n", l.Addr())
	orders := make(chan error, 1)
	go func() { orders <- obey() }() // ends with standard input
	select {
	case err := <-failed:
		return err
	case err := <-orders:
		return err
	}
}

// wiring puts a gateway together as the product's main does.
func wiring(l net.Listener, kind, data string, p plan, seats string) (http.Handler, func(), error) {
	ctx := context.Background()
	var st storage.Storage
	switch kind {
	case "memory":
		st = storage.NewMemory()
	case "sqlite":
		db, err := sqlite.Open(ctx, filepath.Join(data, "anteroom.db"), sqlite.Options{})
		if err != nil {
			return nil, nil, err
		}
		st = db
	default:
		return nil, nil, fmt.Errorf("there is no storage %q", kind)
	}
	if seats != "" {
		h, err := fill(ctx, st, p)
		if err != nil {
			return nil, nil, err
		}
		b, err := json.Marshal(h)
		if err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(seats, b, 0o600); err != nil {
			return nil, nil, err
		}
	}
	limits := gateway.DefaultLimits
	for setting := range strings.SplitSeq(raised, ",") {
		name, value, _ := strings.Cut(setting, "=")
		if err := limits.Set(name, value); err != nil {
			return nil, nil, err
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	counted := metrics.New("load")
	authn := auth.New(st, auth.Config{Hasher: auth.CheapParams, Log: log})
	useCases, err := rooms.New(rooms.Config{Storage: st, Auth: authn, Observe: counted, Log: log})
	if err != nil {
		return nil, nil, err
	}
	authn.OnChange(useCases.Recheck)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	gate := gateway.New(gateway.Config{
		Rooms: useCases, Auth: authn, PublicURL: &url.URL{Scheme: "http", Host: "localhost:" + port},
		Limits: limits, Observe: counted, Log: log,
	})
	counted.Connections(gate.Sockets)
	return gate.Handler(), func() {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		gate.Drain(ctx)
		useCases.Stop()
		st.Close()
	}, nil
}

// raised are the limits that the measurements need: thousands of clients come
// from a few addresses, and some of them write as fast as they can.
const raised = "requests-address=unlimited,connections-address=1000000,sockets-address=1000000,sockets-pending=1000000,sockets-principal=1000000,frames-socket=100000/s:100000," +
	"kib-socket=100000/s:100000,messages-user=unlimited,messages-guest=unlimited,hello-time=60s"

// memory is what a server says about itself.
type memory struct{ Heap, Stack, Goroutines uint64 }

func obey() error {
	var profile *os.File
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		order, file, _ := strings.Cut(in.Text(), " ")
		switch order {
		case "gc":
			debug.FreeOSMemory()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if err := json.NewEncoder(os.Stdout).Encode(memory{m.HeapAlloc, m.StackInuse, uint64(runtime.NumGoroutine())}); err != nil {
				return err
			}
		case "heap":
			runtime.GC()
			f, err := os.Create(file)
			if err == nil {
				err = errors.Join(pprof.Lookup("heap").WriteTo(f, 0), f.Close())
			}
			if err != nil {
				return err
			}
			fmt.Println("{}")
		case "profile":
			var err error
			if profile, err = os.Create(file); err == nil {
				err = pprof.StartCPUProfile(profile)
			}
			if err != nil {
				return err
			}
			fmt.Println("{}")
		case "stop":
			pprof.StopCPUProfile()
			profile.Close()
			fmt.Println("{}")
		default:
			return fmt.Errorf("there is no order %q", order)
		}
	}
	return in.Err()
}
