package protocol

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"anteroom/store/chat"
)

// A message is three frames: it comes as a send, and goes as an event and as an
// ack. encoding/json took a tenth of the server's time for them; here they are
// read and written by hand, in the one form that we write, with the same bytes.
// Everything else goes the general way.

// quickSend reads a send without white space, escapes or further keys, and says
// whether it was one. Its values are not checked yet.
func quickSend(line []byte) (f ClientFrame, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"id":`))
	if !ok {
		return f, false
	}
	number, rest, ok := bytes.Cut(rest, []byte(`,"send":{"room":`))
	if !ok || len(number) == 0 || len(number) > 18 || number[0] == '0' {
		return f, false
	}
	for _, c := range number {
		if c < '0' || c > '9' {
			return f, false
		}
		f.ID = f.ID*10 + int64(c-'0')
	}
	room, rest, ok := quickString(rest, `,"cmid":`)
	if !ok {
		return f, false
	}
	id, rest, ok := quickString(rest, `,"text":`)
	if !ok {
		return f, false
	}
	text, rest, ok := quickString(rest, `}}`)
	if !ok || len(rest) > 0 || !utf8.Valid(line) {
		return f, false
	}
	f.Send = &Send{Room: chat.RoomID(room), ClientID: chat.ClientID(id), Text: string(text)}
	return f, true
}

// quickString takes a string without escapes and what must follow it off data.
func quickString(data []byte, then string) (text, rest []byte, ok bool) {
	if len(data) == 0 || data[0] != '"' {
		return nil, nil, false
	}
	n := bytes.IndexByte(data[1:], '"')
	if n < 0 {
		return nil, nil, false
	}
	for _, c := range data[1 : 1+n] {
		if c < ' ' || c == '\\' {
			return nil, nil, false
		}
	}
	rest, ok = bytes.CutPrefix(data[n+2:], []byte(then))
	return data[1 : 1+n], rest, ok
}

// appendQuick appends an event of a message, or an ack, and says whether f was one.
func appendQuick(dst []byte, f ServerFrame) ([]byte, bool) {
	switch {
	case f.Ack != nil && f == ServerFrame{Re: f.Re, Ack: f.Ack}:
		dst = append(dst, '{')
		if f.Re != 0 {
			dst = append(appendInt(dst, `"re":`, f.Re), ',')
		}
		dst = appendString(dst, `"ack":{"room":`, string(f.Ack.Room))
		dst = appendString(dst, `,"cmid":`, string(f.Ack.ClientID))
		dst = appendInt(dst, `,"seq":`, f.Ack.Seq)
		dst = appendInt(dst, `,"at":`, f.Ack.At)
	case f.Event != nil && f.Event.Event.Member == nil && f == ServerFrame{Event: f.Event}:
		e := &f.Event.Event
		dst = appendString(dst, `{"event":{"room":`, string(f.Event.Room))
		dst = appendString(dst, `,"epoch":`, f.Event.Epoch)
		dst = appendInt(dst, `,"event":{"seq":`, e.Seq)
		dst = appendInt(dst, `,"at":`, e.At)
		dst = appendString(dst, `,"kind":`, string(e.Kind))
		for _, field := range [...]struct{ key, value string }{
			{`,"sender":`, string(e.Sender)},
			{`,"sender_name":`, e.SenderName},
			{`,"cmid":`, string(e.ClientID)},
			{`,"text":`, e.Text},
		} {
			if field.value != "" {
				dst = appendString(dst, field.key, field.value)
			}
		}
		dst = append(dst, '}')
	default:
		return dst, false
	}
	return append(dst, "}}"...), true
}

func appendInt(dst []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(dst, key...), n, 10)
}

func appendString(dst []byte, key, s string) []byte {
	dst = append(dst, key...)
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return appendJSON(dst, s)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
