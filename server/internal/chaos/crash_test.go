//go:build linux

package chaos

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver that check uses
)

// memoryCap is what no server of these tests may ever have resident.
const memoryCap = 512 << 20

// check copies a database that no process has open, lets SQLite recover the
// copy, and looks at every page.
func check(t testing.TB, data string) {
	t.Helper()
	dir := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(filepath.Join(data, "anteroom.db"+suffix))
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "a.db"+suffix), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("the database is damaged: %s %v", verdict, err)
	}
}

// R1: kill -9 at random moments under load.
func TestKilledUnderLoad(t *testing.T) {
	sample(t)
	kills := 4
	if *soak {
		kills = 200
	}
	random := moments(t)
	w := newWorld(t, 3, 1, 3)
	w.load(80 * time.Millisecond)
	var slowest, back time.Duration
	for i := range kills {
		time.Sleep(time.Duration(random.IntN(1200)) * time.Millisecond) // the random moment
		w.s.kill()
		dead := time.Now().UnixNano()
		if i%20 == 0 {
			check(t, w.s.data)
		}
		slowest = max(slowest, w.s.start())
		began := time.Now()
		w.look()
		for _, b := range w.bots {
			await(t, b.name+" to be back", func() bool { return b.welcome.Load() > dead })
		}
		back = max(back, time.Since(began))
		if t.Failed() {
			return
		}
	}
	acks, stored := w.judge()
	if *soak && slowest+back > 5*time.Second {
		t.Errorf("T: serving took %v and coming back %v", slowest, back)
	}
	if peak := w.s.peak.Load(); peak > memoryCap {
		t.Errorf("B: %d MiB resident", peak>>20)
	}
	if acks < kills {
		t.Errorf("%d acknowledged in %d lives: that was no load", acks, kills)
	}
	t.Logf("%d kills: %d acknowledged, %d stored, %d clients; slowest start %v, slowest return of all %v, peak %d MiB",
		kills, acks, stored, len(w.bots), slowest.Round(time.Millisecond), back.Round(time.Millisecond), w.s.peak.Load()>>20)
}

// R2: kill -9 while the database is being made.
func TestKilledAtFirstStart(t *testing.T) {
	sample(t)
	lives := 6
	if *soak {
		lives = 200
	}
	random := moments(t)
	made := 0
	for i := range lives {
		s := newServer(t)
		s.launch()
		time.Sleep(time.Duration(random.IntN(60_000)) * time.Microsecond) // the random moment
		s.kill()
		if _, err := os.Stat(filepath.Join(s.data, "anteroom.db")); err == nil {
			made++
			check(t, s.data)
		}
		if i%4 != 0 && *soak {
			// Often the second start is killed, too.
			s.launch()
			time.Sleep(time.Duration(random.IntN(60_000)) * time.Microsecond)
			s.kill()
		}
		s.start()
		s.command(password, "user", "add", "--password-stdin", fmt.Sprint("user", i))
		s.logIn(fmt.Sprint("user", i))
		s.stop()
		check(t, s.data)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d first starts killed, %d of them with a database begun", lives, made)
}
