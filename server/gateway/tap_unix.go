//go:build unix

package gateway

import (
	"net"
	"syscall"
)

// direct gives access to a connection's descriptor, which does not block; nil
// where there is none.
func direct(c net.Conn) syscall.RawConn {
	if sc, ok := c.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// tryWrite writes what the system takes now: perhaps nothing.
func tryWrite(fd uintptr, p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := syscall.Write(int(fd), p[done:])
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return done, nil
		case err != nil:
			return done, err
		default:
			done += n
		}
	}
	return done, nil
}
