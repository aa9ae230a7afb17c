package store

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"anteroom/store/chat"
)

// draftKey says whose composer and where.
type draftKey struct {
	owner chat.Identity
	place string // a room id, or "vendor:" and a slug
}

type draft struct {
	text  string
	dirty bool // not yet in storage
}

// storedDraft is a draft as storage holds it.
type storedDraft struct {
	Version int    `json:"v"`
	Text    string `json:"text"`
}

func parseDraft(surface chat.Surface, key, value string) (draftKey, *draft, bool) {
	rest, ok := strings.CutPrefix(key, KeyPrefix(surface)+"draft.")
	if !ok {
		return draftKey{}, nil, false
	}
	owner, place, ok := strings.Cut(rest, ".")
	k := draftKey{chat.Identity(owner), place}
	if !ok || !validOwner(k.owner) || !validPlace(place) {
		return k, nil, false
	}
	var d storedDraft
	if !decodeStored(value, &d) || d.Version != 1 || len(d.Text) > maxStored || !utf8.ValidString(d.Text) {
		return k, nil, false
	}
	return k, &draft{text: d.Text}, true
}

func validPlace(place string) bool {
	if slug, ok := strings.CutPrefix(place, "vendor:"); ok {
		_, err := chat.ParseSlug(slug)
		return err == nil
	}
	_, err := chat.ParseRoomID(place)
	return err == nil
}

// setDraft keeps what stands in the composer; storage follows shortly after
// the last key.
func (m *Machine) setDraft(place, text string) {
	if !validPlace(place) || len(text) > maxStored/2 || !utf8.ValidString(text) {
		return
	}
	k := draftKey{m.owner(), place}
	d := m.drafts[k]
	if d == nil {
		if text == "" || len(m.drafts) >= maxDrafts {
			return
		}
		d = &draft{}
		m.drafts[k] = d
	}
	if d.text == text {
		return
	}
	d.text, d.dirty = text, true
	if m.draftAt == 0 {
		m.draftAt = m.now + draftDelay
	}
	m.touch(dirtyRoom)
}

func (m *Machine) draftText(place string) string {
	if d := m.drafts[draftKey{m.owner(), place}]; d != nil {
		return d.text
	}
	return ""
}

func (m *Machine) draftKeys() []draftKey {
	return slices.SortedFunc(maps.Keys(m.drafts), func(a, b draftKey) int {
		return cmp.Or(cmp.Compare(a.owner, b.owner), cmp.Compare(a.place, b.place))
	})
}

func (m *Machine) flushDrafts() {
	m.draftAt = 0
	for _, k := range m.draftKeys() {
		d := m.drafts[k]
		if !d.dirty {
			continue
		}
		d.dirty = false
		if d.text == "" {
			delete(m.drafts, k)
			m.unpersist(KeyDraft(m.surface, k.owner, k.place))
			continue
		}
		m.persist(KeyDraft(m.surface, k.owner, k.place), encodeStored(storedDraft{Version: 1, Text: d.text}))
	}
}

func (m *Machine) removeDraft(k draftKey) {
	if m.drafts[k] == nil {
		return
	}
	delete(m.drafts, k)
	m.unpersist(KeyDraft(m.surface, k.owner, k.place))
	m.touch(dirtyRoom)
}

// moveDraft carries what was typed for a vendor into the room that now exists.
func (m *Machine) moveDraft(from, to string) {
	owner := m.owner()
	d := m.drafts[draftKey{owner, from}]
	if d == nil {
		return
	}
	text := d.text
	m.removeDraft(draftKey{owner, from})
	if m.draftText(to) == "" {
		m.setDraft(to, text)
		m.flushDrafts()
	}
}

// moveDrafts gives all drafts of one writer to another.
func (m *Machine) moveDrafts(from, to chat.Identity) {
	for _, k := range m.draftKeys() {
		if k.owner != from {
			continue
		}
		text := m.drafts[k].text
		m.removeDraft(k)
		target := draftKey{to, k.place}
		if m.drafts[target] == nil && text != "" {
			m.drafts[target] = &draft{text: text, dirty: true}
		}
	}
	m.flushDrafts()
	m.touch(dirtyRoom)
}
