//go:build !js

package e2e

import (
	"strings"
	"testing"
)

// What Ada's screens hold, and what Bo's do.
var (
	adaWords = []string{"It left the kiln", "Ada Okafor", "food-safe", "Harbour Smoke arrived"}
	boWords  = []string{"Bo Lind", "tea towels shrink", "hold one set"}
)

// Story 4, many tabs, log-out: the other tab follows within a second, without
// a reload, an error text or an error in the console.
func TestManyTabsLogOut(t *testing.T) {
	for _, d := range append(deafness, deaf{name: "hearing nothing until it is looked at", broadcast: true, storage: true, stalled: true}) {
		t.Run(d.name, func(t *testing.T) { tabsLogOut(t, d) })
	}
}

func tabsLogOut(t *testing.T, d deaf) {
	s := serve(t)
	line, ear := s.tap(), s.front.listen()
	ada := visitor(t, "ada")
	one := ada.open(s.shop + "/products/oak-board")
	one.logIn(s, "ada")
	one.visit(s.shop + "/products/blue-bowl")
	first := one.openChat()
	first.reads("It left the kiln")
	first.fill("Message", "A draft in tab one")
	two := ada.open(s.shop + "/products/tea-towels")
	second := two.openChat()
	words := append([]string{"A draft in tab one"}, adaWords...)
	w := one.witness(words, nil)
	resume := d.apply(line, second, first)
	out := two.noteLogOut()
	two.logOut()
	at := out()
	if d.broadcast && d.storage {
		if found, _, err := first.traces(words...); err != nil || len(found) == 0 {
			t.Errorf("tab one has followed already (%v): it was not deaf", err)
		}
		first.mustEval(`void dispatchEvent(new Event('focus'))`, nil)
		first.mustEval(`Date.now()`, nil)
		w.gone()
	} else {
		soon(t, "tab one was empty", at, w.gone())
	}
	first.forgot(words...)
	w.calm()
	credentials, _ := ear.heard("as_")
	resume()
	s.allDead(credentials)

	// Whoever sits there now is a guest, in the same tab.
	first.chatWith("Northern Tea")
	first.say("I am somebody new")
	first.delivered("I am somebody new")
	w.calm()
	first.forgot(words...)
	if g, ok := first.guestSession(); !ok || len(s.rooms(g.Credential)) != 1 {
		t.Errorf("the new guest is %v %v", g.ID, ok)
	}
}

// Story 4, many tabs, log-in: the other tab, a guest's, is the user's within a
// second, and what is typed there stays.
func TestManyTabsLogIn(t *testing.T) {
	for _, d := range deafness {
		t.Run(d.name, func(t *testing.T) { tabsLogIn(t, d) })
	}
}

func tabsLogIn(t *testing.T, d deaf) {
	s := serve(t)
	line := s.tap()
	ada := visitor(t, "ada")
	one := ada.open(s.shop + "/products/blue-bowl")
	first := one.openChat()
	first.say("Do you mend cups?")
	first.delivered("Do you mend cups?")
	first.fill("Message", "A draft in tab one")
	two := ada.open(s.shop + "/products/tea-towels")
	second := two.openChat()
	w, w2 := one.witness([]string{"never there"}, nil), two.witness(nil, nil)
	resume := d.apply(line, second, first)
	two.assert("ada")
	soon(t, "tab one was Ada's", w2.authAt("user"), w.authAt("user"))
	resume()
	first.reads("Do you mend cups?", "You are logged in as Ada Okafor. This chat came along.")
	w.calm()
	if v, err := first.value("Message"); err != nil || v != "A draft in tab one" {
		t.Errorf("the draft in tab one is %q (%v)", v, err)
	}
	if g, ok := first.guestSession(); ok {
		t.Errorf("the guest session %s is still in localStorage", g.ID)
	}
	one.press("Enter", false)
	first.click("textbox", "Message")
	one.press("Enter", false)
	first.delivered("A draft in tab one")
	first.reads("Do you mend cups?", "A draft in tab one")
	first.click("button", "Back")
	first.sees("It left the kiln")
	w.calm()
}

// Story 4, many tabs, another user: the tab follows, and neither screen nor
// socket of the second ever holds a byte of the first.
func TestManyTabsOtherUser(t *testing.T) {
	for _, d := range deafness {
		t.Run("switched, "+d.name, func(t *testing.T) { tabsOtherUser(t, d, false) })
	}
	t.Run("logged out between", func(t *testing.T) { tabsOtherUser(t, deaf{}, true) })
}

func tabsOtherUser(t *testing.T, d deaf, between bool) {
	s := serve(t)
	line, ear := s.tap(), s.front.listen()
	v := visitor(t, "ada")
	one := v.open(s.shop + "/products/tall-vase")
	one.logIn(s, "ada")
	one.visit(s.shop + "/products/blue-bowl")
	first := one.openChat()
	first.reads("It left the kiln")
	first.fill("Message", "A draft of Ada's")
	two := v.open(s.shop + "/products/tea-towels")
	second := two.openChat()
	hers, _ := ear.heard("as_")
	words := append([]string{"A draft of Ada's"}, adaWords...)
	w := one.witness(words, boWords)
	if between {
		two.logOut()
		w.gone()
		two.logIn(s, "bo")
		two.visit(s.shop + "/products/tea-towels")
		two.openChat()
	} else {
		w2 := two.witness(words, boWords)
		resume := d.apply(line, second, first)
		two.assert("bo")
		soon(t, "tab one was empty of Ada", w2.authAt("user"), w.gone())
		resume()
		w2.calm()
	}
	first.as("Bo Lind")
	first.sees("hold one set")
	first.forgot(words...)
	w.calm()
	line.neverTold("Bo Lind", words...)
	s.allDead(hers)
	one.reload()
	first = one.openChat()
	await(t, "Bo's room", func() (bool, error) {
		text, err := first.text()
		return strings.Contains(text, "Logged in as Bo Lind") || first.has("log", "Messages"), err
	})
	first.forgot(words...)
}
