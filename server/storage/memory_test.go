package storage_test

import (
	"bytes"
	"testing"

	"anteroom/server/conformance"
	"anteroom/server/storage"
)

func TestMemory(t *testing.T) {
	conformance.Storage(t, func(t testing.TB, backup []byte) storage.Storage {
		if backup == nil {
			return storage.NewMemory()
		}
		m, err := storage.OpenMemory(bytes.NewReader(backup))
		if err != nil {
			t.Fatal(err)
		}
		return m
	})
}
