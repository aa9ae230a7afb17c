//go:build !js

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"anteroom/server/auth"
	"anteroom/server/gateway"
	"anteroom/server/internal/demo"
	"anteroom/server/internal/metrics"
	"anteroom/server/internal/operator"
	"anteroom/server/rooms"
	"anteroom/server/storage"
	"anteroom/server/storage/sqlite"
	"anteroom/web"
)

// serve runs the server until ctx ends, then drains it.
func serve(ctx context.Context, c config, env environment) (err error) {
	log := slog.New(slog.NewTextHandler(env.stderr, &slog.HandlerOptions{Level: c.logLevel}))

	hosts, err := auth.ParseHosts(c.identities)
	if err != nil {
		return usageError{err}
	}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	if c.demo {
		shop, err := demo.Host(secret)
		if err != nil {
			return err
		}
		hosts = append(hosts, shop)
	}

	// Listen before anything is made: a port in use is told at once, and leaves nothing behind.
	listener, err := listen("addr", c.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	if c.publicURL == nil {
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		c.publicURL = &url.URL{Scheme: "http", Host: "localhost:" + port}
	}
	var shop net.Listener
	if c.demo {
		if shop, err = listen("demo-addr", c.demoAddr); err != nil {
			return err
		}
		defer shop.Close()
		c.embedOrigins = append(c.embedOrigins, shopURL(c, shop))
	}

	var ops net.Listener
	if c.opsAddr != "" {
		if ops, err = listen("ops-addr", c.opsAddr); err != nil {
			return err
		}
		defer ops.Close()
	}

	opened, err := openStorage(ctx, c.data)
	if err != nil {
		return usagef("can't use --data %s: %w", c.data, err)
	}
	st := storage.Check(opened, time.Now)
	defer func() {
		if cerr := st.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close the database: %w", cerr)
		}
	}()
	hasher := auth.DefaultParams
	if c.passwordMemory > 0 {
		hasher.Memory = uint32(c.passwordMemory)
	}
	if c.demo {
		if err := demo.Fill(ctx, st, hasher, time.Now); err != nil {
			return err
		}
	}

	counted := metrics.New(version)
	authn := auth.New(st, auth.Config{Hosts: hosts, Hasher: hasher, Log: log})
	useCases, err := rooms.New(rooms.Config{Storage: st, Auth: authn, Observe: counted, Log: log})
	if err != nil {
		return err
	}
	defer useCases.Stop()
	authn.OnChange(useCases.Recheck)
	gate := gateway.New(gateway.Config{
		Rooms: useCases, Auth: authn, Ready: st.Ready, PublicURL: c.publicURL, TrustedProxies: c.trustedProxies,
		Limits: c.limits, Observe: counted, Log: log, Version: version,
	})

	counted.Connections(gate.Sockets)

	stopOperator, operatorFailed, err := operate(ctx, c.data, operator.Deps{Storage: st, Auth: authn, Rooms: useCases, Log: log})
	if err != nil {
		return err
	}
	defer stopOperator()

	pages := web.Handler(web.Config{PublicURL: c.publicURL, EmbedOrigins: c.embedOrigins, Version: version, NoServiceWorker: c.noServiceWorker})

	servers := newGroup(log, c.limits)
	servers.serve("chat", listener, front(gate.Handler(), pages), gate.Bound)
	fmt.Fprintf(env.stdout, "chat   %s/chat   (listening on %s)\ninbox  %s/inbox/\n", c.publicURL, listener.Addr(), c.publicURL)
	if ops != nil {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", counted.Handler())
		servers.serve("ops", ops, mux)
		fmt.Fprintf(env.stdout, "ops    http://%s/metrics\n", ops.Addr())
	}
	if c.demo {
		signer := demo.Signer{Issuer: demo.Issuer, Audience: demo.Audience, Secret: secret, Now: time.Now}
		servers.serve("shop", shop, demo.NewShop(c.publicURL, signer, time.Now).Handler())
		fmt.Fprintf(env.stdout, "shop   %s\n\n%s", shopURL(c, shop), demo.Passwords())
	}
	log.Info("serving", "addr", listener.Addr().String(), "version", version)

	sweeper := time.NewTicker(time.Hour)
	defer sweeper.Stop()
	for {
		select {
		case <-ctx.Done():
			log.Info("draining")
			return drain(c.drain, servers, gate)
		case err := <-operatorFailed:
			return errors.Join(err, drain(c.drain, servers, gate))
		case err := <-servers.failed:
			return errors.Join(err, drain(c.drain, servers, gate))
		case <-sweeper.C:
			if err := authn.Sweep(ctx); err != nil {
				log.Error("sweep failed", "err", err)
			}
		}
	}
}

// front gives each request to the API or to the pages. It is no ServeMux: that
// would answer odd paths itself, without the headers that all answers have.
func front(api, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p := r.URL.Path; {
		case strings.HasPrefix(p, "/api/"), p == "/ws", p == "/healthz", p == "/readyz":
			api.ServeHTTP(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
	})
}

// drain stops accepting, tells sockets to come back, and waits for what is under way.
func drain(limit time.Duration, servers *group, gate *gateway.Gateway) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	// The servers stop accepting at once and wait for requests under way; sockets
	// are hijacked, so they do not know them.
	stopped := make(chan error, 1)
	go func() { stopped <- servers.shutdown(ctx) }() // awaited below
	err := gate.Drain(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // those that were slow are cut; that is what the limit is for
	}
	return errors.Join(err, <-stopped)
}

func shopURL(c config, l net.Listener) string {
	host, _, _ := net.SplitHostPort(c.demoAddr)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return "http://" + net.JoinHostPort(host, port)
}

func listen(flag, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err // without it the sentence would name the address twice
		}
		return nil, usagef("can't listen on --%s %s: %v", flag, addr, err)
	}
	return l, nil
}

// openStorage opens the database in a data folder, which it makes if need be.
func openStorage(ctx context.Context, data string) (storage.Storage, error) {
	db, err := sqlite.Open(ctx, filepath.Join(data, "anteroom.db"), sqlite.Options{})
	if err != nil {
		return nil, err // not db: a nil *DB in an interface is not nil
	}
	return db, nil
}

// operate serves the operator's commands beside the database. The returned
// stop waits for those under way; failed gets the error of a socket that broke.
func operate(ctx context.Context, data string, d operator.Deps) (stop func(), failed <-chan error, err error) {
	socket, err := operator.Listen(filepath.Join(data, operator.SocketName))
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { // owned by the caller: stop ends it and waits
		if err := socket.Serve(ctx, d); err != nil {
			done <- fmt.Errorf("serve the operator's commands: %w", err)
		}
	})
	return func() { cancel(); wg.Wait() }, done, nil
}

// group is the HTTP servers of the process.
type group struct {
	log     *slog.Logger
	limits  gateway.Limits
	servers []*http.Server
	failed  chan error // one slot per server
}

func newGroup(log *slog.Logger, l gateway.Limits) *group {
	return &group{log: log, limits: l, failed: make(chan error, 3)}
}

// serve starts a server that options change before; its goroutine ends with shutdown.
func (g *group) serve(name string, l net.Listener, h http.Handler, options ...func(*http.Server)) {
	// What clients do wrong is theirs: it is logged for debugging only.
	s := g.limits.Server(h, slog.NewLogLogger(g.log.Handler(), slog.LevelDebug))
	for _, o := range options {
		o(s)
	}
	g.servers = append(g.servers, s)
	go func() { // owned by g: shutdown ends it
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			g.failed <- fmt.Errorf("serve %s: %w", name, err)
		}
	}()
}

func (g *group) shutdown(ctx context.Context) error {
	var errs []error
	for _, s := range g.servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}
