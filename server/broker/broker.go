package broker

import "context"

// Broker passes hints from publishers to subscribers. Safe for concurrent use.
type Broker interface {
	// Publish offers payload to the subscribers of topic. It does not wait for
	// them. The payload must not be changed afterwards.
	Publish(ctx context.Context, topic string, payload []byte) error
	// Subscribe calls f for each hint under topic, one at a time, until the
	// returned cancel is called; cancel returns once no call of f is running.
	// f must be quick, must not call cancel and must not modify the payload.
	Subscribe(topic string, f func(payload []byte)) (cancel func(), err error)
	// Close ends all subscriptions.
	Close() error
}
