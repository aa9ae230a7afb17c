package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"anteroom/store/chat"
)

// door knows who may knock: the one origin, the hosts, the proxies.
type door struct {
	origin  string   // "https://chat.example": scheme, host, and port unless it is the default
	hosts   []string // as in Host headers, lower case, with port unless it is the default
	port    string   // default port of the scheme
	proxies []netip.Prefix
}

func newDoor(public *url.URL, proxies []netip.Prefix) door {
	d := door{proxies: proxies, port: "80"}
	if public.Scheme == "https" {
		d.port = "443"
	}
	host := d.canonical(public.Host)
	d.origin = public.Scheme + "://" + host
	d.hosts = []string{host}
	name, port := strings.ToLower(public.Hostname()), public.Port()
	if port == d.port {
		port = ""
	}
	loopback := []string{"localhost", "127.0.0.1", "[::1]"}
	if name == "::1" {
		name = "[::1]"
	}
	if slices.Contains(loopback, name) {
		for _, alias := range loopback {
			if port != "" {
				alias += ":" + port
			}
			d.hosts = append(d.hosts, alias)
		}
	}
	return d
}

// canonical is a host in lower case without the scheme's default port.
func (d door) canonical(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ":"+d.port)
}

// check refuses a request for another host, and one that a page of another
// origin makes. No Origin at all means that no browser asks on behalf of a
// page: that is allowed, because no cookie carries authority here.
func (d door) check(r *http.Request) error {
	if !slices.Contains(d.hosts, d.canonical(r.Host)) {
		return chat.Errorf(chat.CodeInvalid, "This host is not served here")
	}
	origins := r.Header.Values("Origin")
	if len(origins) > 1 || len(origins) == 1 && origins[0] != d.origin {
		return chat.Errorf(chat.CodeAccessDenied, "This origin may not use the chat")
	}
	return nil
}

// address is the caller's address for limits: that of the connection or, where
// a trusted proxy is at the other end, the nearest one it vouches for that is
// no trusted proxy itself.
func (d door) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	if d.trusts(addr) {
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for _, hop := range slices.Backward(hops) {
			a, err := netip.ParseAddr(strings.TrimSpace(hop))
			if err != nil {
				break // what stands before it was not written by anybody we trust
			}
			addr = a
			if !d.trusts(a) {
				break
			}
		}
	}
	return party(addr)
}

// party is what limits count an address by: IPv6 by its /64.
func party(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.String()
	}
	return a.String()
}

func (d door) trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(d.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}
