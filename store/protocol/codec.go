package protocol

import (
	"bytes"
	"encoding/json"

	"anteroom/store/chat"
)

// MaxClientFrames is how many frames one WebSocket message from a client may carry.
const MaxClientFrames = 256

// FrameError is a client frame that could not be taken: what is wrong with
// it, and what it called itself, so that it can be answered.
type FrameError struct {
	Re   int64       // the frame's id, 0 where it could not be read
	Room chat.RoomID // the room it named, if that could be read
	Err  *chat.Error
}

func (e *FrameError) Error() string { return e.Err.Error() }

// Unwrap gives the *chat.Error.
func (e *FrameError) Unwrap() error { return e.Err }

// DecodeClient decodes one WebSocket message from a client. At the first
// frame it cannot take it stops and returns the frames before it with a
// *FrameError. Servers that answer frame by frame use Split and DecodeClientFrame.
func DecodeClient(message []byte) ([]ClientFrame, error) {
	lines, err := Split(message)
	if err != nil {
		return nil, err
	}
	frames := make([]ClientFrame, 0, len(lines))
	for _, line := range lines {
		f, err := DecodeClientFrame(line)
		if err != nil {
			return frames, err
		}
		frames = append(frames, f)
	}
	return frames, nil
}

// Split cuts a WebSocket message from a client into its frames' bytes, which
// refer to message. It checks what holds for the message as a whole and
// returns a *FrameError (invalid or too_large) where it does not.
func Split(message []byte) ([][]byte, error) {
	if len(message) > MaxClientMessage {
		return nil, frameError(0, "", chat.Errorf(chat.CodeTooLarge, "a message may have at most %d bytes", MaxClientMessage))
	}
	message = bytes.TrimSuffix(message, []byte("\n"))
	if n := bytes.Count(message, []byte("\n")) + 1; n > MaxClientFrames {
		return nil, frameError(0, "", chat.Errorf(chat.CodeTooLarge, "a message may carry at most %d frames", MaxClientFrames))
	}
	return bytes.Split(message, []byte("\n")), nil
}

// DecodeClientFrame decodes one frame from a client and checks it: shape,
// sizes, identifiers, exactly one payload. Text comes back as chat.ParseText
// gives it. Errors are *FrameError.
func DecodeClientFrame(line []byte) (ClientFrame, error) {
	if len(line) > MaxClientFrame {
		return ClientFrame{}, frameError(0, "", chat.Errorf(chat.CodeTooLarge, "a frame may have at most %d bytes", MaxClientFrame))
	}
	if f, ok := quickSend(line); ok {
		return checked(f)
	}
	return decodeClientFrame(line)
}

func decodeClientFrame(line []byte) (ClientFrame, error) {
	clean, err := strict(line)
	if err != nil {
		return ClientFrame{}, frameError(0, "", err)
	}
	var f ClientFrame
	if json.Unmarshal(clean, &f) != nil {
		// The id may still be readable, so that the sender learns which frame it was.
		var id struct {
			ID json.RawMessage `json:"id"`
		}
		var re int64
		if json.Unmarshal(clean, &id) == nil && json.Unmarshal(id.ID, &re) != nil {
			re = 0
		}
		return ClientFrame{}, frameError(max(re, 0), "", chat.Errorf(chat.CodeInvalid, "frame does not have the expected shape"))
	}
	if f.ID < 0 {
		return ClientFrame{}, frameError(0, "", chat.Errorf(chat.CodeInvalid, "id must not be negative"))
	}
	return checked(f)
}

// checked gives a frame of the right shape back if its values are right, too.
func checked(f ClientFrame) (ClientFrame, error) {
	if err := f.check(); err != nil {
		room := f.RoomID()
		if _, bad := chat.ParseRoomID(string(room)); bad != nil {
			room = "" // what is malformed is not echoed
		}
		return ClientFrame{}, frameError(f.ID, room, err)
	}
	return f, nil
}

func frameError(re int64, room chat.RoomID, err error) error {
	e, ok := err.(*chat.Error)
	if !ok {
		e = chat.Errorf(chat.CodeInvalid, "malformed frame")
	}
	return &FrameError{Re: re, Room: room, Err: e}
}

// DecodeServer decodes one WebSocket message from a server. Frames of a kind
// this code does not know are skipped, so that an older page survives a newer
// server; a frame with several payloads or none at all is an error.
func DecodeServer(message []byte) ([]ServerFrame, error) {
	if len(message) > MaxServerMessage {
		return nil, chat.Errorf(chat.CodeTooLarge, "message of %d bytes", len(message))
	}
	message = bytes.TrimSuffix(message, []byte("\n"))
	frames := make([]ServerFrame, 0, bytes.Count(message, []byte("\n"))+1)
	for line := range bytes.SplitSeq(message, []byte("\n")) {
		clean, err := strict(line)
		if err != nil {
			return frames, err
		}
		var f ServerFrame
		if json.Unmarshal(clean, &f) != nil {
			return frames, chat.Errorf(chat.CodeInvalid, "frame does not have the expected shape")
		}
		switch n := f.payloads(); {
		case n == 1 && f.Re >= 0:
			frames = append(frames, f)
		case n == 0 && unknownPayload(clean):
		default:
			return frames, chat.Errorf(chat.CodeInvalid, "a frame must have exactly one payload")
		}
	}
	return frames, nil
}

// unknownPayload tells whether a frame without a known payload has another one.
func unknownPayload(line []byte) bool {
	var keys map[string]json.RawMessage
	if json.Unmarshal(line, &keys) != nil {
		return false
	}
	delete(keys, "re")
	return len(keys) == 1
}

// EncodeClient encodes frames as one WebSocket message.
func EncodeClient(frames ...ClientFrame) []byte {
	var out []byte
	for i, f := range frames {
		if i > 0 {
			out = append(out, '\n')
		}
		out = appendJSON(out, f)
	}
	return out
}

// EncodeServer encodes frames as one WebSocket message.
func EncodeServer(frames ...ServerFrame) []byte {
	var out []byte
	for _, f := range frames {
		out = AppendServer(out, f)
	}
	return out
}

// AppendServer appends a frame to a message under construction, after a
// newline if the message already holds one, and returns the longer message.
func AppendServer(message []byte, f ServerFrame) []byte {
	if len(message) > 0 {
		message = append(message, '\n')
	}
	if quick, ok := appendQuick(message, f); ok {
		return quick
	}
	return appendJSON(message, f)
}

// appendJSON appends v without a newline. All values of the wire can be encoded.
func appendJSON(dst []byte, v any) []byte {
	b := appender{dst}
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // texts stay as short as they were written; nobody puts frames into HTML
	if err := e.Encode(v); err != nil {
		panic("protocol: " + err.Error()) // a programming error: no input can cause it
	}
	return b.b[:len(b.b)-1] // Encode ends with a newline
}

type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}
