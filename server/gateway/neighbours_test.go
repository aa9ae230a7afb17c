//go:build !js

package gateway

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// BenchmarkNeighbours measures what a limited party costs the others: how long a
// message takes from another guest's Send to its ack, alone and while somebody
// floods from the next socket, in turns within one run. ratio-p99 is the p99
// with the flood over the one without; it should stay below 2. The flooder is
// thrown out again and again, and comes back as often as requests-address lets
// one address ask in the long run.
func BenchmarkNeighbours(b *testing.B) {
	for name, unit := range map[string][]byte{
		"frames": bytes.Repeat(wsFrame(0x81, []byte(`{"ping":{}}`)), 64),
		"pings":  bytes.Repeat(wsFrame(0x89, []byte("x")), 64),
	} {
		b.Run(name, func(b *testing.B) {
			l := DefaultLimits
			back := l.Requests.Every
			l.UserSends, l.Requests = Unlimited, Unlimited // the clock is moved below, which would fill the burst again
			w := newWorld(b, l)
			mia := w.user("mia", chat.RoleUser)
			w.vendor("maple", mia)
			flooder := w.guest()
			room := w.open(w.guest().Credential, "maple")
			credential := w.login("mia", chat.SurfaceInbox).Credential
			var p *peer
			host := strings.TrimPrefix(w.url, "http://")
			greeting := append(fmt.Appendf(nil, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", host),
				wsFrame(0x81, []byte(hello(flooder.Credential, chat.SurfaceWidget, "")))...)
			var took [2][]time.Duration
			send := func(round int) {
				for range 25 { // below what one socket may send at once
					began := time.Now()
					if f := p.ask(protocol.ClientFrame{Send: &protocol.Send{Room: room, ClientID: w.cmid(), Text: "hello"}}); f.Ack == nil {
						b.Fatalf("got %s", protocol.EncodeServer(f))
					}
					took[round] = append(took[round], time.Since(began))
				}
				w.skip(time.Minute) // the sender's frames are free again, on the server's clock
			}
			floods := 0
			flood := func() (stop func() int) {
				var conns []net.Conn
				done, quit, begun := make(chan struct{}), make(chan struct{}), make(chan struct{})
				go func() { // ends with quit: a flooder who is thrown out comes back
					defer close(done)
					pace := time.NewTicker(back)
					defer pace.Stop()
					for first := true; ; first = false {
						if !first {
							select {
							case <-quit:
								return
							case <-pace.C:
							}
						}
						c, err := net.Dial("tcp", host)
						if err != nil {
							continue
						}
						conns = append(conns, c)
						c.Write(greeting)
						if first {
							close(begun)
						}
						for {
							c.SetWriteDeadline(time.Now().Add(time.Second))
							if _, err := c.Write(unit); err != nil {
								break
							}
							select {
							case <-quit:
								c.Close()
								return
							default:
							}
						}
						c.Close()
					}
				}()
				<-begun
				return func() int {
					close(quit)
					<-done
					for _, c := range conns {
						c.Close()
					}
					return len(conns)
				}
			}
			for b.Loop() {
				// A new socket each time: the KiB of one have a limit, on the real clock.
				p = w.connect(credential, chat.SurfaceInbox)
				p.ws.SetReadLimit(protocol.MaxServerMessage)
				for range 32 { // long enough for the flooder to come back a few times
					send(0)
				}
				stop := flood()
				for range 32 {
					send(1)
				}
				floods += stop()
				p.ws.CloseNow()
			}
			p99 := func(d []time.Duration) float64 {
				slices.Sort(d)
				return float64(d[len(d)*99/100])
			}
			b.ReportMetric(p99(took[0])/1e3, "alone-p99-µs")
			b.ReportMetric(p99(took[1])/1e3, "flooded-p99-µs")
			b.ReportMetric(p99(took[1])/p99(took[0]), "ratio-p99")
			b.ReportMetric(float64(floods)/float64(b.N), "floods/op")
		})
	}
}
