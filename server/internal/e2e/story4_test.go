//go:build !js

package e2e

import "testing"

// Story 4, many tabs: what happens in one tab happens in all of them.
func TestManyTabsLogOut(t *testing.T) {
	s := serve(t)
	ada := visitor(t, "ada")
	one := ada.open(s.shop + "/products/blue-bowl")
	one.logIn(s, "ada")
	one.visit(s.shop + "/products/blue-bowl")
	first := one.openChat()
	first.reads("It left the kiln")
	two := ada.open(s.shop + "/products/tea-towels")
	two.openChat()
	two.logOut()
	first.forgot("It left the kiln", "Ada Okafor")
}
