package store

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// anyInput draws wishes and facts, sensible and not, about few rooms and sockets.
func anyInput(t *rapid.T) Input {
	room := rapid.SampledFrom([]chat.RoomID{"", "r_aaaaaaaaaaaaaaaaaaaaaaaaaa", "r_baaaaaaaaaaaaaaaaaaaaaaaaa", "x"}).Draw(t, "room")
	text := rapid.SampledFrom([]string{"", "hello", "a\x00b", "\xff", "line\nline"}).Draw(t, "text")
	vendor := rapid.SampledFrom([]string{"", "maple-pottery", "NO"}).Draw(t, "vendor")
	conn := rapid.Int64Range(0, 4).Draw(t, "conn")
	re := rapid.Int64Range(0, 12).Draw(t, "re")
	seq := rapid.Int64Range(-1, 6).Draw(t, "seq")
	call := rapid.Int64Range(0, 6).Draw(t, "call")
	user := rapid.SampledFrom([]chat.UserID{"", "u_aaaaaaaaaaaaaaaaaaaaaaaaaa", "u_baaaaaaaaaaaaaaaaaaaaaaaaa"}).Draw(t, "user")
	code := chat.Outcomes[rapid.IntRange(0, len(chat.Outcomes)-1).Draw(t, "code")].Code
	secret := "1111111111111111111111111111111111111111111"
	event := chat.Event{Seq: seq, Kind: chat.MessagePosted, Sender: chat.UserIdentity(user), ClientID: "t-1", Text: text}
	summary := chat.Summary{Room: chat.Room{ID: room}, Head: seq, Unread: int(re)}
	frame := rapid.SampledFrom([]protocol.ServerFrame{
		{Re: re, Welcome: &protocol.Welcome{Version: 1, Principal: chat.Principal{Kind: chat.KindUser, User: user}}},
		{Re: re, Error: &protocol.Error{Code: code, Room: room, RetryAfterMS: seq * 100}},
		{Re: re, Rooms: &protocol.RoomsPage{Rooms: []chat.Summary{summary}, Next: text}},
		{Re: re, Created: &protocol.RoomFrame{Room: summary}},
		{Re: re, Joined: &protocol.Joined{Room: room, Epoch: text, Head: seq, Events: []chat.Event{event}}},
		{Re: re, Joined: &protocol.Joined{Room: room, Snapshot: &chat.Snapshot{Room: summary.Room, Head: seq, Events: []chat.Event{event}}}},
		{Re: re, Ack: &protocol.Ack{Room: room, ClientID: "t-1", Seq: seq}},
		{Re: re, History: &protocol.HistoryPage{Room: room, Epoch: text, Events: []chat.Event{event}}},
		{Re: re, OK: &protocol.Empty{}},
		{Re: re, Pong: &protocol.Beat{Heads: []protocol.Head{{Room: room, Epoch: text, Seq: seq}}}},
		{Event: &protocol.EventFrame{Room: room, Epoch: text, Event: event}},
		{Room: &protocol.RoomFrame{Room: summary}},
		{Gone: &protocol.Gone{Room: room}},
		{Typing: &protocol.TypingFrame{Room: room, Who: "w", Active: re > 5}},
		{Receipt: &protocol.ReceiptFrame{Room: room, Receipt: chat.Receipt{Reader: chat.UserIdentity(user), Seq: seq}}},
		{Notice: &protocol.NoticeFrame{Room: room}},
		{Bye: &protocol.Error{Code: code}},
		{},
		{Re: re},
	}).Draw(t, "frame")
	body := fmt.Appendf(nil, `{"id":"g_aaaaaaaaaaaaaaaaaaaaaaaaaa","credential":%q,"revoke":"rv_%s","principal":{"kind":"user","user":%q},"host":%t}`,
		rapid.SampledFrom([]string{"gs_aaaaaaaaaaaaaaaaaaaaaaaaaa_" + secret, "as_" + secret, text}).Draw(t, "credential"), secret, user, seq > 3)
	var err *chat.Error
	if re > 8 {
		err = &chat.Error{Code: code}
	}
	sig := AuthSignal{Nonce: text + string(user), Stamp: 1_700_000_000_000 + seq*1000, Out: re > 6, User: user, Credential: "as_" + secret, Host: seq > 2}
	key := rapid.SampledFrom([]string{KeyGuestSession, KeySession("widget"), KeyAuth("widget"), KeyOutbox("widget", "t-1"), KeyDraft("widget", "", "vendor:maple-pottery"), "other"}).Draw(t, "key")
	return rapid.SampledFrom([]Input{
		{Intent: InitializeChat{}},
		{Intent: FetchRooms{Filter: chat.FilterUnread, More: re > 6}},
		{Intent: FetchVendors{}},
		{Intent: JoinRoom{Room: room}},
		{Intent: StartChat{Vendor: vendor}},
		{Intent: LeaveRoom{}},
		{Intent: LoadHistory{Room: room}},
		{Intent: SendMessage{Room: room, Vendor: vendor, Text: text}},
		{Intent: Retry{ClientID: "t-1"}},
		{Intent: Discard{ClientID: "t-2"}},
		{Intent: SetDraft{Place: string(room), Text: text}},
		{Intent: SetDraft{Place: vendorPlace(vendor), Text: text}},
		{Intent: SetTyping{Room: room, Active: re > 3}},
		{Intent: MarkRead{Room: room, Seq: seq}},
		{Intent: OpenWidget{}},
		{Intent: LogIn{Token: text}},
		{Intent: LogIn{Username: "a", Password: "b"}},
		{Intent: RefreshLogin{Token: text}},
		{Intent: LogOut{}},
		{Intent: EndChat{}},
		{Intent: FetchSessions{}},
		{Intent: EndSession{Session: "s_1"}},
		{Intent: FetchAudit{More: re > 5}},
		{Intent: ClearChatState{}},
		{Intent: CloseRoom{Room: room}},
		{Intent: DismissNotice{}},
		{Fact: Connected{Conn: conn}},
		{Fact: Disconnected{Conn: conn, Error: err}},
		{Fact: Received{Conn: conn, Frame: frame}},
		{Fact: Received{Conn: conn, Frame: frame}},
		{Fact: Received{Conn: conn, Frame: frame}},
		{Fact: Woken{}},
		{Fact: NetworkChanged{Online: re > 4}},
		{Fact: VisibilityChanged{Visible: re > 4}},
		{Fact: Persisted{Key: key, Error: text}},
		{Fact: Called{Call: call, Body: body, Error: err}},
		{Fact: Called{Call: call, Body: []byte(text)}},
		{Fact: StorageChanged{Key: key, Value: string(body), Removed: re > 6}},
		{Fact: AuthChanged{Auth: sig}},
	}).Draw(t, "input")
}

// TestAnyInputs feeds what no server and no browser would say. The machine must
// not panic, must do the same again, must not change a view it gave away, must
// not ask to be woken in the past for ever, and must not send without a socket.
func TestAnyInputs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, again := New(), New()
		inputs := []Input{{Fact: Restored{Surface: "widget", Tab: "t", Online: true}}, {Intent: InitializeChat{}}}
		for range rapid.IntRange(1, 60).Draw(t, "length") {
			inputs = append(inputs, anyInput(t))
		}
		at := int64(1_700_000_000_000)
		for i, in := range inputs {
			at += int64(i%7) * 900
			in.At = at
			before := m.View()
			frozen, _ := json.Marshal(before)
			effects := m.Step(in)
			if now, _ := json.Marshal(before); string(now) != string(frozen) {
				t.Fatalf("step %d changed a view it had given away", i)
			}
			if !reflect.DeepEqual(effects, again.Step(in)) {
				t.Fatalf("step %d gave other effects the second time", i)
			}
			for _, e := range effects {
				if _, ok := e.(Send); ok && m.conn.phase == down && !hangsUp(effects) {
					t.Fatalf("step %d sends without a socket: %+v", i, e)
				}
			}
			for range 20 {
				if due := m.nextWake(); due == 0 || due > at {
					break
				}
				m.Step(Input{At: at, Fact: Woken{}})
				again.Step(Input{At: at, Fact: Woken{}})
			}
			if due := m.nextWake(); due != 0 && due <= at {
				t.Fatalf("step %d: something stays due", i)
			}
			for id, line := range m.View().Messages {
				if _, err := chat.NewTimeline(chat.Snapshot{Events: line.Events, Head: line.Head}); err != nil {
					t.Fatalf("step %d: %s has holes: %v", i, id, err)
				}
			}
		}
	})
}

func hangsUp(effects []Effect) bool {
	for _, e := range effects {
		if _, ok := e.(Disconnect); ok {
			return true
		}
	}
	return false
}
