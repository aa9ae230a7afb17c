//go:build !js

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"anteroom/server/auth"
	"anteroom/server/gateway"
)

// config is what serve was asked to do.
type config struct {
	addr           string
	publicURL      *url.URL // nil: localhost and the port that is listened on
	embedOrigins   []string
	trustedProxies []netip.Prefix
	data           string
	identities     []string // specs of auth.ParseHost
	logLevel       slog.Level
	demo           bool
	demoAddr       string
	drain          time.Duration
	passwordMemory uint // KiB of argon2id; 0 is the default
	limits         gateway.Limits
	opsAddr        string // "" is off

	noServiceWorker bool
}

// list is a flag that may be repeated. A comma separates values too, so that
// one environment variable can hold several.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }
func (l *list) Set(s string) error {
	for v := range strings.SplitSeq(s, ",") {
		if v = strings.TrimSpace(v); v != "" && !slices.Contains(*l, v) {
			*l = append(*l, v)
		}
	}
	return nil
}

// specs is a flag that may be repeated and keeps each value as it is.
type specs []string

func (l *specs) String() string     { return strings.Join(*l, ",") }
func (l *specs) Set(s string) error { *l = append(*l, s); return nil }

// limits is a flag that sets one limit each time, or several after commas.
type limits struct{ *gateway.Limits }

func (l limits) String() string { return "" }
func (l limits) Set(s string) error {
	for v := range strings.SplitSeq(s, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(v), "=")
		if !ok {
			return fmt.Errorf("%q is not name=value", v)
		}
		if err := l.Limits.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// parseServe reads serve's flags; a flag that is absent is taken from the
// environment variable ANTEROOM_ and its name in upper case.
func parseServe(args []string, env environment) (config, error) {
	var (
		c                     config
		publicURL             string
		embedOrigins, proxies list
		identities            specs
	)
	c.limits = gateway.DefaultLimits
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&c.addr, "addr", "127.0.0.1:8080", "`address` to listen on")
	fs.StringVar(&publicURL, "public-url", "", "`URL` under which browsers reach the chat; its origin is the only one that may open a socket (default http://localhost and the port of --addr)")
	fs.Var(&embedOrigins, "embed-origin", "`origin` of a page that may embed the widget, e.g. https://shop.example; repeat it or separate with commas")
	fs.Var(&proxies, "trusted-proxy", "`address` or network (CIDR) of a proxy whose X-Forwarded-For counts; repeatable")
	fs.StringVar(&c.opsAddr, "ops-addr", "", "`address` to serve /metrics on, e.g. 127.0.0.1:9090; off by default, and not for the public")
	fs.StringVar(&c.data, "data", "./data", "`folder` of the database; made if it does not exist")
	fs.Var(&identities, "identity", "`issuer` whose signed identity tokens log visitors in; repeatable; see README")
	fs.TextVar(&c.logLevel, "log-level", slog.LevelInfo, "least `level` that is logged: debug, info, warn or error")
	fs.BoolVar(&c.demo, "demo", false, "serve the demo shop too and fill the database with demo data; on loopback addresses only")
	fs.StringVar(&c.demoAddr, "demo-addr", "127.0.0.1:8081", "`address` of the demo shop")
	fs.DurationVar(&c.drain, "drain", 10*time.Second, "longest `time` to wait for open requests when asked to stop")
	fs.Var(limits{&c.limits}, "limit", "`name=value` of a limit, e.g. messages-guest=2/s:10; repeatable, or separated by commas; see README")
	fs.BoolVar(&c.noServiceWorker, "no-service-worker", false, "kill switch: installed inboxes remove their service worker and its caches")
	fs.UintVar(&c.passwordMemory, "password-memory", 0, "`KiB` of memory per argon2id password hash; 0 is the safe default, lower it in tests only")

	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fs.SetOutput(env.stdout)
			fmt.Fprint(env.stdout, "anteroom serve [flags]; each flag has an environment variable, e.g. ANTEROOM_PUBLIC_URL\n\n")
			fs.PrintDefaults()
			return c, flag.ErrHelp
		}
		return c, usageError{err}
	}
	if fs.NArg() > 0 {
		return c, usagef("serve takes no argument %q", fs.Arg(0))
	}
	if err := fromEnvironment(fs, env.lookup); err != nil {
		return c, err
	}

	if err := checkAddr("addr", c.addr); err != nil {
		return c, err
	}
	if c.opsAddr != "" {
		if err := checkAddr("ops-addr", c.opsAddr); err != nil {
			return c, err
		}
	}
	if publicURL != "" {
		u, err := originURL("public-url", publicURL)
		if err != nil {
			return c, err
		}
		c.publicURL = u
	}
	for _, o := range embedOrigins {
		u, err := originURL("embed-origin", o)
		if err != nil {
			return c, err
		}
		c.embedOrigins = append(c.embedOrigins, u.String())
	}
	for _, p := range proxies {
		prefix, err := parsePrefix(p)
		if err != nil {
			return c, usagef("--trusted-proxy %q is neither an address nor a network such as 10.0.0.0/8", p)
		}
		c.trustedProxies = append(c.trustedProxies, prefix)
	}
	c.identities = identities
	if c.passwordMemory > auth.MaxMemory {
		return c, usagef("--password-memory must be at most %d", auth.MaxMemory)
	}
	if c.data == "" {
		return c, usagef("--data must name a folder")
	}
	if c.drain <= 0 {
		return c, usagef("--drain must be a positive time such as 10s")
	}
	c.limits.Drain = c.drain
	if c.demo {
		for name, addr := range map[string]string{"addr": c.addr, "demo-addr": c.demoAddr} {
			if err := checkAddr(name, addr); err != nil {
				return c, err
			}
			if !isLoopback(addr) {
				return c, usagef("--demo has known passwords and serves on loopback addresses only, not on --%s %s", name, addr)
			}
		}
	}
	return c, nil
}

// fromEnvironment sets the flags that were not given from their variables.
func fromEnvironment(fs *flag.FlagSet, lookup func(string) (string, bool)) error {
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var err error
	fs.VisitAll(func(f *flag.Flag) {
		name := "ANTEROOM_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := lookup(name)
		if !ok || given[f.Name] || err != nil {
			return
		}
		if e := fs.Set(f.Name, value); e != nil {
			err = usagef("%s=%q is no value for --%s: %v", name, value, f.Name, e)
		}
	})
	return err
}

// originURL parses an origin: scheme, host and port, and nothing after them.
func originURL(name, s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(s, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, usagef("--%s %q must be an origin such as https://chat.example, without a path", name, s)
	}
	// Letter by letter what browsers say: names in other scripts as they send them.
	if strings.Trim(strings.ToLower(u.Host), "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]") != "" || strings.HasSuffix(u.Host, ":") {
		return nil, usagef("--%s %q must name one host as browsers send it: ASCII (xn--… for names in other scripts), without wildcards", name, s)
	}
	u.Host = strings.ToLower(u.Host)
	// Browsers leave the scheme's own port out of an origin.
	if port := u.Port(); u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	}
	return u, nil
}

func checkAddr(name, addr string) error {
	if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
		return usagef("--%s %q must be host:port, such as 127.0.0.1:8080", name, addr)
	}
	return nil
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func parsePrefix(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}
