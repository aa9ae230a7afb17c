//go:build linux

package operator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal gives both ends of a pseudo-terminal.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here:", err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip("no pseudo-terminals here:", err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip("no pseudo-terminals here:", err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here:", err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// prompts tells of each prompt that is printed.
type prompts struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready chan struct{}
}

func (p *prompts) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.Write(b)
	if bytes.HasSuffix(b, []byte(": ")) {
		p.ready <- struct{}{}
	}
	return len(b), nil
}

func echoes(t *testing.T, f *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func TestPasswordOnATerminal(t *testing.T) {
	for name, c := range map[string]struct {
		answers  []string
		password string
		fault    string
	}{
		"twice the same": {[]string{"secret of mia", "secret of mia"}, "secret of mia", ""},
		"different":      {[]string{"secret of mia", "secret of mio"}, "", "differ"},
		"short":          {[]string{"short", "short"}, "", "at least 8"},
	} {
		t.Run(name, func(t *testing.T) {
			person, program := terminal(t)
			p := &prompts{ready: make(chan struct{}, 8)}
			var wg sync.WaitGroup
			wg.Go(func() {
				for _, a := range c.answers {
					<-p.ready
					// The echo goes off after the prompt; what is typed ahead of it waits unread.
					for echoes(t, program) {
					}
					io.WriteString(person, a+"\n")
				}
			})
			got, err := readPassword(t.Context(), Env{Stdin: program, Stderr: p}, false)
			wg.Wait()
			if got != c.password || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(message(err), c.fault) {
				t.Errorf("got %q, %v", got, err)
			}
			if !echoes(t, program) {
				t.Error("the echo is off afterwards")
			}
			if strings.Contains(p.text.String(), "secret") {
				t.Errorf("the password was shown: %q", p.text.String())
			}
		})
	}
}

func TestPasswordInterrupted(t *testing.T) {
	person, program := terminal(t)
	p := &prompts{ready: make(chan struct{}, 8)}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // ends with the prompt
		<-p.ready
		for echoes(t, program) {
		}
		cancel()
	}()
	if _, err := readPassword(ctx, Env{Stdin: program, Stderr: p}, false); err == nil {
		t.Error("an interrupt gave a password")
	}
	if !echoes(t, program) {
		t.Error("the echo is off afterwards")
	}
	io.WriteString(person, "\n") // lets the read that can't be interrupted end
}
