//go:build !js

package e2e

import "testing"

func TestSmoke(t *testing.T) {
	s := serve(t)
	ada := visitor(t, "guest")
	tab := ada.open(s.shop + "/products/blue-bowl")
	tab.shot("shop")
	tab.top().click("button", "Open chat")
	tab.chat().fill("Message", "Hello from a guest")
	tab.shot("panel")
	tab.press("Enter", false)
	tab.chat().reads("Hello from a guest")
	tab.shot("sent")
	mia := s.staff("mia")
	r := s.roomWith(mia, "Hello from a guest")
	s.answer(mia, r.ID, "Hello back")
	tab.chat().reads("Hello from a guest", "Hello back")
	tab.shot("answered")
}
