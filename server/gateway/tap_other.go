//go:build !linux

package gateway

import "net"

// setUserTimeout does nothing here: a dead peer is found when its queue is full
// or the kernel gives up.
func setUserTimeout(net.Conn) {}
