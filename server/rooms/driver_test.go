//go:build !js

package rooms_test

import (
	"path/filepath"
	"slices"
	"testing"

	"anteroom/server/conformance"
	"anteroom/server/storage"
	"anteroom/server/storage/sqlite"
)

type sample struct {
	name string
	f    func(*testing.T)
}

// small is what makes one world each; opening a database takes its time.
var small = []sample{
	{"lists", TestListIsWhatOneMayReach},
	{"creation at once", TestCreateAtOnce},
	{"sending", TestSendIsIdempotentPerSender},
	{"unread", TestUnread},
	{"oversight", TestOversight},
	{"vendor members", TestVendorMembers},
	{"linking", TestLink},
	{"delivery", TestEventsReachThoseWhoJoined},
	{"revocation in doubt", TestRevocationInDoubt},
}

// on runs a sample of the tests on another storage.
func on(t *testing.T, f func(testing.TB) *conformance.Faulty, tests ...sample) {
	t.Helper()
	memory := open
	open = f
	defer func() { open = memory }()
	for _, tt := range tests {
		t.Run(tt.name, tt.f)
	}
}

func TestOnSQLite(t *testing.T) {
	on(t, func(t testing.TB) *conformance.Faulty {
		db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "anteroom.db"), sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return conformance.NewFaulty(db)
	}, small...)
}

// A driver may run an Update's function again: nothing counts twice.
func TestOnStorageThatRunsTwice(t *testing.T) {
	on(t, func(testing.TB) *conformance.Faulty {
		f := conformance.NewFaulty(storage.NewMemory())
		f.Script(nil, slices.Repeat([]conformance.Fault{conformance.Twice}, 10_000)...)
		return f
	}, append([]sample{
		{"rules", TestRules},
		{"foreign and missing", TestForeignAndMissingAreAlike},
		{"creation", TestCreate},
		{"revocation", TestRevocation},
	}, small...)...)
}
