//go:build !js

package demo

import (
	"fmt"
	"strings"
)

// Vendor is one of the market's shops.
type Vendor struct {
	Slug, Name, Avatar string
	Place, About       string
	Staff              Account
	Products           []*Product
}

// Product is a thing a vendor sells.
type Product struct {
	Slug, Name, Price string
	Line, About       string
	Facts             []string
	Image             string // file under /images/
	Vendor            *Vendor
}

// Account is somebody who can log in, with a password everybody knows.
type Account struct{ Username, Name, Password string }

// Admin may reach every room in the inbox.
var Admin = Account{"rosa", "Rosa Admin", "demo-rosa"}

// Customers have their accounts at the shop, not in the chat.
var Customers = []Account{
	{"ada", "Ada Okafor", "demo-ada"},
	{"bo", "Bo Lind", "demo-bo"},
}

// Vendors are the market's shops in the order they are shown.
var Vendors = []*Vendor{
	{
		Slug: "maple-pottery", Name: "Maple Pottery", Avatar: "MP", Place: "Thrown in Hollow Lane",
		About: "Mira and Mia throw stoneware for everyday tables. Every piece is fired twice, goes into the dishwasher, and is allowed to be a little different from its neighbour.",
		Staff: Account{"mia", "Mia Hart", "demo-mia"},
		Products: []*Product{
			{
				Slug: "blue-bowl", Name: "Large blue bowl", Price: "€48", Image: "bowl.svg",
				Line:  "A salad for six, or bread for a week.",
				About: "Our largest bowl, in the deep blue that took us two winters to get right. The glaze breaks to rust at the rim, where the clay shows through.",
				Facts: []string{"31 cm across, 11 cm high", "Stoneware, food-safe glaze", "Dishwasher and oven, up to 220 °C"},
			},
			{
				Slug: "morning-mug", Name: "Morning mug", Price: "€22", Image: "mug.svg",
				Line:  "Three fingers through the handle.",
				About: "A mug that stays warm and does not tip. The foot is left bare, so that it is pleasant to hold and kind to tables.",
				Facts: []string{"320 ml", "Stoneware, cream glaze", "Microwave and dishwasher"},
			},
			{
				Slug: "tall-vase", Name: "Tall vase", Price: "€64", Image: "vase.svg",
				Line:  "For branches, more than for bouquets.",
				About: "Thrown in two parts and joined on the wheel. Heavy at the foot, narrow at the neck: one branch stands in it without a fuss.",
				Facts: []string{"38 cm high", "Stoneware, matt ash glaze", "Watertight"},
			},
		},
	},
	{
		Slug: "northern-tea", Name: "Northern Tea", Avatar: "NT", Place: "Blended by the harbour",
		About: "Noor buys from eleven small gardens and blends on Thursdays. What is in the tin is written on the tin, with the week it was picked.",
		Staff: Account{"noor", "Noor Haddad", "demo-noor"},
		Products: []*Product{
			{
				Slug: "harbour-smoke", Name: "Harbour Smoke", Price: "€14", Image: "tin.svg",
				Line:  "Black tea over birch smoke.",
				About: "Keemun smoked over birch for one night, not three: you taste the tea first and the fire after.",
				Facts: []string{"100 g, about 40 cups", "3 minutes at 95 °C", "Picked in April"},
			},
			{
				Slug: "white-peony", Name: "White peony", Price: "€19", Image: "leaves.svg",
				Line:  "Two leaves and a bud.",
				About: "Soft, a little like melon, and hard to get wrong. It takes a second and a third infusion gladly.",
				Facts: []string{"60 g", "4 minutes at 80 °C", "Picked in March"},
			},
			{
				Slug: "glass-pot", Name: "Glass teapot", Price: "€39", Image: "teapot.svg",
				Line:  "Watch the leaves do their work.",
				About: "Thin borosilicate glass with a strainer that is large enough for the leaves to unfold.",
				Facts: []string{"900 ml", "Borosilicate glass", "Strainer of stainless steel"},
			},
		},
	},
	{
		Slug: "oak-linen", Name: "Oak & Linen", Avatar: "OL", Place: "Woven in the old mill",
		About: "Olaf weaves on two looms from 1961. The linen is washed before it reaches you, so that it is soft on the first day and softer on the thousandth.",
		Staff: Account{"olaf", "Olaf Brandt", "demo-olaf"},
		Products: []*Product{
			{
				Slug: "tea-towels", Name: "Three tea towels", Price: "€34", Image: "towel.svg",
				Line:  "They dry glasses without lint.",
				About: "Half-bleached linen with a stripe in the blue of work jackets. With a loop, of course.",
				Facts: []string{"50 × 70 cm, set of three", "Linen from Normandy", "Wash at 60 °C"},
			},
			{
				Slug: "bread-bag", Name: "Bread bag", Price: "€18", Image: "bag.svg",
				Line:  "Keeps a crust a crust.",
				About: "A plain bag with a cord, large enough for a loaf and a half. Bread breathes in it and stays good two days longer.",
				Facts: []string{"32 × 42 cm", "Unbleached linen, cotton cord", "Wash at 40 °C"},
			},
			{
				Slug: "oak-board", Name: "Oak board", Price: "€42", Image: "board.svg",
				Line:  "From the tree that fell in the yard.",
				About: "Cut from one oak, oiled three times. It will take knife marks; that is what it is for.",
				Facts: []string{"40 × 24 × 2.5 cm", "Oak, linseed oil", "Wipe, do not soak"},
			},
		},
	},
}

func init() {
	for _, v := range Vendors {
		for _, p := range v.Products {
			p.Vendor = v
		}
	}
}

// Passwords are the lines that tell people how to log in.
func Passwords() string {
	var b strings.Builder
	line := func(where string, a Account, what string) {
		fmt.Fprintf(&b, "log in at the %-5s  %-5s %-10s  %s\n", where, a.Username, a.Password, what)
	}
	for _, c := range Customers {
		line("shop", c, "customer "+c.Name)
	}
	for _, v := range Vendors {
		line("inbox", v.Staff, "staff of "+v.Name)
	}
	line("inbox", Admin, "admin")
	return b.String()
}

func vendorBySlug(slug string) *Vendor {
	for _, v := range Vendors {
		if v.Slug == slug {
			return v
		}
	}
	return nil
}

func productBySlug(slug string) *Product {
	for _, v := range Vendors {
		for _, p := range v.Products {
			if p.Slug == slug {
				return p
			}
		}
	}
	return nil
}

func customer(username string) (Account, bool) {
	for _, c := range Customers {
		if c.Username == username {
			return c, true
		}
	}
	return Account{}, false
}
