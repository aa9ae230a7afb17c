//go:build !js

package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"anteroom/server/storage"
	"anteroom/server/storage/sqlite"
	"anteroom/store/chat"
)

// scroller scrolls the log as a hand would and tells what moved that should not
// have: after each step it notes the row in the middle of the screen, lets the
// page do what it wants (draw other rows, fetch older ones), and compares.
const scroller = `async (down, until) => {
	const log = document.querySelector('[role=log]');
	const rows = () => [...log.querySelectorAll('.row')];
	const number = (row) => Number((/Message (\d+)\./.exec(row.textContent) || [])[1] || 0);
	const heights = () => Object.fromEntries([...log.firstElementChild.children].map((r) => [r.id || r.className, r.offsetHeight]));
	const frame = () => new Promise(requestAnimationFrame);
	const out = {rows: 0, moved: 0, lost: 0, steps: 0, low: Infinity, high: 0, jumps: []};
	for (let idle = 0; out.steps < 2000 && idle < 300;) {
		const before = log.scrollTop;
		log.scrollTop += down ? 350 : -350;
		const middle = log.getBoundingClientRect().top + log.clientHeight / 2;
		const row = rows().find((r) => r.getBoundingClientRect().bottom > middle);
		const top = row && row.getBoundingClientRect().top, id = row && row.id, was = heights(), at = log.scrollTop;
		for (let i = 0; i < 4; i++) await frame();
		const list = rows();
		out.rows = Math.max(out.rows, list.length);
		if (row) {
			const now = document.getElementById(id);
			if (!now) out.lost++;
			else if (Math.abs(now.getBoundingClientRect().top - top) > 2) {
				out.moved++;
				const is = heights();
				out.jumps.push([id, now.getBoundingClientRect().top - top, at, log.scrollTop, Object.keys(was).filter((k) => k in is && is[k] !== was[k]).map((k) => [k, was[k], is[k]])]);
			}
		}
		for (const r of list) { const n = number(r); if (n) { out.low = Math.min(out.low, n); out.high = Math.max(out.high, n); } }
		if (log.scrollTop === before) idle++; else { idle = 0; out.steps++; }
		if (down ? out.high >= until && log.scrollTop + log.clientHeight >= log.scrollHeight - 2 : out.low <= until) break;
	}
	return out;
}`

// A room of 10,000 messages: at most some 100 rows are in the document, and
// whoever scrolls, up through older pages and back down to the end, sees
// nothing move but by their own hand.
func TestLongRoom(t *testing.T) {
	s := serve(t)
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	tab.allow(networkErrors)
	chat := tab.openChat()
	chat.say("Message 1.")
	chat.delivered("Message 1.")
	guest, _ := chat.guestSession()
	mia := s.staff("mia")
	s.stop()
	s.fill(s.data, guest.ID, 10_000)
	s.restart()
	tab.reload()
	chat = tab.openChat()
	chat.sees("Message 10000.")
	read := func(down bool, until int) {
		t.Helper()
		var got struct {
			Rows, Moved, Lost, Steps, Low, High int
			Jumps                               []any
		}
		// Long enough for a slow machine; DevTools must not give up on the promise meanwhile.
		chat.mustEval(fmt.Sprintf(`(() => { window.read = 0; (%s)(%v, %d).then((r) => window.read = r); })()`, scroller, down, until), nil)
		if err := awaitEvery(100*time.Millisecond, 6*patience, "the reader to arrive", func() (bool, error) {
			var done bool
			err := chat.eval(`!!window.read`, &done)
			return done, err
		}); err != nil {
			t.Fatal(err)
		}
		chat.mustEval(`window.read`, &got)
		t.Logf("down %v: %d steps, messages %d to %d, %d rows at most", down, got.Steps, got.Low, got.High, got.Rows)
		if got.Rows > 110 {
			t.Errorf("down %v: %d rows are in the document", down, got.Rows)
		}
		if got.Moved > 0 || got.Lost > 0 {
			t.Errorf("down %v: of %d steps %d moved what was read and %d lost it: %v", down, got.Steps, got.Moved, got.Lost, got.Jumps)
		}
		if !down && got.Low > until || down && got.High < until {
			t.Errorf("down %v: the reader got from %d to %d, not to %d", down, got.Low, got.High, until)
		}
	}
	read(false, 9_600)
	// Somebody writes while an older page is read: nothing moves, and one is told.
	s.answer(mia, s.roomOf(mia, guest.ID), "Message 10001.")
	chat.find("button", "New messages")
	read(false, 9_500)
	// Who waits at the very top while the network is slow cannot scroll on when a page
	// has come: it is drawn without.
	first := `Number((/Message (\d+)\./.exec(document.querySelector('[role=log]').textContent) || [])[1])`
	s.front.freeze()
	held, same := 0, 0
	await(t, "the first message that is held", func() (bool, error) {
		var now int
		err := chat.eval(`(document.querySelector('[role=log]').scrollTop = 0, `+first+`)`, &now)
		if same++; now != held {
			held, same = now, 0
		}
		return same > 20, err
	})
	s.front.heal()
	await(t, "older messages for who waits at the top", func() (bool, error) {
		var now int
		err := chat.eval(first, &now)
		return now < held, err
	})
	read(true, 10_001)
	chat.sees("Message 10001.")
	// What a new message changes in the document is its row and those beside it.
	chat.mustEval(`(() => {
		window.touched = new Set();
		new MutationObserver((list) => { for (const m of list) for (const n of [m.target, ...m.addedNodes]) { const r = (n.nodeType === 1 ? n : n.parentElement).closest('.row'); if (r) touched.add(r.id); } })
			.observe(document.querySelector('[role=log]'), {childList: true, subtree: true, attributes: true, characterData: true});
	})()`, nil)
	chat.click("textbox", "Message")
	tab.typeText("some keys")
	chat.holds("some keys")
	var touched int
	if chat.mustEval(`touched.size`, &touched); touched != 0 {
		t.Errorf("keystrokes changed %d rows", touched)
	}
	s.answer(mia, s.roomOf(mia, guest.ID), "Message 10002.")
	chat.sees("Message 10002.")
	if chat.mustEval(`touched.size`, &touched); touched < 1 || touched > 4 {
		t.Errorf("a message changed %d rows", touched)
	}
}

// fill writes messages 2 to n into the guest's room, past a server that is not running.
func (s *Server) fill(data, guest string, n int) {
	s.t.Helper()
	ctx := context.Background()
	db, err := sqlite.Open(ctx, filepath.Join(data, "anteroom.db"), sqlite.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			s.t.Error(err)
		}
	}()
	sender := chat.GuestIdentity(chat.GuestSessionID(guest))
	err = db.Update(ctx, func(w storage.Writer) error {
		list, err := w.RoomsOfGuest(chat.GuestSessionID(guest))
		if err != nil {
			return err
		}
		at := time.Now().Add(-time.Hour).UnixMilli()
		for i := 2; i <= n; i++ {
			_, _, err := w.Append(list[0], chat.Event{At: at + int64(i), Kind: chat.MessagePosted, Sender: sender, ClientID: chat.ClientID(fmt.Sprintf("fill%d", i)), Text: fmt.Sprintf("Message %d.", i)})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
