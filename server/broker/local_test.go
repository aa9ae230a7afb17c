package broker_test

import (
	"testing"

	"anteroom/server/broker"
	"anteroom/server/conformance"
)

func TestLocal(t *testing.T) {
	conformance.Broker(t, func(testing.TB) broker.Broker { return broker.NewLocal() })
}
