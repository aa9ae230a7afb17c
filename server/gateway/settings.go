package gateway

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// settings are the limits under the names operators give them. README lists them.
var settings = []struct {
	name  string
	field func(*Limits) any // a *Rate, *int or *time.Duration
}{
	{"requests-address", func(l *Limits) any { return &l.Requests }},
	{"requests-principal", func(l *Limits) any { return &l.PrincipalRequests }},
	{"logins-address", func(l *Limits) any { return &l.LogIns }},
	{"failed-logins-address", func(l *Limits) any { return &l.FailedLogIns }},
	{"failed-logins-account", func(l *Limits) any { return &l.AccountLogIns }},
	{"guest-sessions-address", func(l *Limits) any { return &l.GuestSessions }},
	{"rooms-guest", func(l *Limits) any { return &l.GuestRooms }},
	{"rooms-user", func(l *Limits) any { return &l.UserRooms }},
	{"rooms-address", func(l *Limits) any { return &l.AddressRooms }},
	{"messages-user", func(l *Limits) any { return &l.UserSends }},
	{"messages-guest", func(l *Limits) any { return &l.GuestSends }},
	{"frames-socket", func(l *Limits) any { return &l.Frames }},
	{"kib-socket", func(l *Limits) any { return &l.ReadBytes }},
	{"control-socket", func(l *Limits) any { return &l.Control }},
	{"connections-address", func(l *Limits) any { return &l.Connections }},
	{"sockets-principal", func(l *Limits) any { return &l.Sockets }},
	{"sockets-address", func(l *Limits) any { return &l.AddressSockets }},
	{"sockets-pending", func(l *Limits) any { return &l.PendingSockets }},
	{"queue-frames", func(l *Limits) any { return &l.QueueFrames }},
	{"queue-bytes", func(l *Limits) any { return &l.QueueBytes }},
	{"hello-time", func(l *Limits) any { return &l.Hello }},
	{"message-time", func(l *Limits) any { return &l.Message }},
	{"write-time", func(l *Limits) any { return &l.Write }},
	{"beat-time", func(l *Limits) any { return &l.Beat }},
	{"request-time", func(l *Limits) any { return &l.Request }},
	{"http-header-time", func(l *Limits) any { return &l.Header }},
	{"http-body-time", func(l *Limits) any { return &l.Body }},
	{"http-answer-time", func(l *Limits) any { return &l.Answer }},
	{"http-idle-time", func(l *Limits) any { return &l.Idle }},
}

// LimitNames lists the limits that Set knows, in the order of their documentation.
func LimitNames() []string {
	var out []string
	for _, s := range settings {
		out = append(out, s.name)
	}
	return out
}

const none = "unlimited"

// Set changes one limit by its name. A rate is written as how many in a time
// and how many at once ("1/s:10", "4/m:20", "1/90s:10"), a bound as a number, a
// time as "10s"; rates and bounds may be "unlimited". The error says what is wrong.
func (l *Limits) Set(name, value string) error {
	for _, s := range settings {
		if s.name != name {
			continue
		}
		var err error
		switch field := s.field(l).(type) {
		case *Rate:
			*field, err = parseRate(value)
		case *int:
			*field, err = parseBound(value)
		case *time.Duration:
			*field, err = parseTime(value)
		}
		if err != nil {
			return fmt.Errorf("limit %s: %w", name, err)
		}
		return nil
	}
	return fmt.Errorf("there is no limit %q; there are %s", name, strings.Join(LimitNames(), ", "))
}

// Value is a limit as Set takes it; "" for a name that Set does not know.
func (l Limits) Value(name string) string {
	for _, s := range settings {
		if s.name != name {
			continue
		}
		switch field := s.field(&l).(type) {
		case *Rate:
			return field.String()
		case *int:
			if *field < 0 {
				return none
			}
			return strconv.Itoa(*field)
		case *time.Duration:
			return field.String()
		}
	}
	return ""
}

// String is the rate as Limits.Set takes it.
func (r Rate) String() string {
	if r.Burst < 0 {
		return none
	}
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}} {
		if r.Every > 0 && u.unit%r.Every == 0 {
			return fmt.Sprintf("%d/%s:%d", u.unit/r.Every, u.name, r.Burst)
		}
	}
	return fmt.Sprintf("1/%s:%d", r.Every, r.Burst)
}

func parseRate(s string) (Rate, error) {
	if s == none {
		return Unlimited, nil
	}
	bad := fmt.Errorf("%q is no rate such as 1/s:10 (one a second, ten at once)", s)
	count, rest, ok1 := strings.Cut(s, "/")
	span, burst, ok2 := strings.Cut(rest, ":")
	n, err1 := strconv.ParseUint(count, 10, 32)
	b, err2 := strconv.ParseUint(burst, 10, 30)
	if span == "s" || span == "m" || span == "h" {
		span = "1" + span
	}
	d, err3 := time.ParseDuration(span)
	if !ok1 || !ok2 || err1 != nil || err2 != nil || err3 != nil || n == 0 || b == 0 || d <= 0 || d/time.Duration(n) <= 0 {
		return Rate{}, bad
	}
	return Rate{d / time.Duration(n), int(b)}, nil
}

func parseBound(s string) (int, error) {
	if s == none {
		return -1, nil
	}
	n, err := strconv.ParseUint(s, 10, 30)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no number above 0", s)
	}
	return int(n), nil
}

func parseTime(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Millisecond || d > 24*time.Hour {
		return 0, fmt.Errorf("%q is no time such as 10s", s)
	}
	return d, nil
}
