package ui

import "github.com/maxence-charriere/go-app/v10/pkg/app"

const svgNamespace = "http://www.w3.org/2000/svg"

// The icons, as paths of one 24 by 24 drawing.
const (
	iconClose = "M6 6l12 12M18 6L6 18"
	iconBack  = "M15 5l-7 7 7 7"
	iconMenu  = "M5 12h.01M12 12h.01M19 12h.01"
	iconAbout = "M12 11v5M12 8h.01M12 21a9 9 0 100-18 9 9 0 000 18z"
)

// icon draws a path in the colour of the text around it.
func icon(path string) app.UI {
	return app.Elem("svg").XMLNS(svgNamespace).Attr("viewBox", "0 0 24 24").Attr("fill", "none").
		Attr("stroke", "currentColor").Attr("stroke-width", "2").Attr("stroke-linecap", "round").
		Attr("stroke-linejoin", "round").Aria("hidden", true).
		Body(app.Elem("path").XMLNS(svgNamespace).Attr("d", path))
}

// iconButton is a button whose name only assistive technology shows.
func iconButton(name, path, class string, on app.EventHandler) app.HTMLButton {
	return app.Button().Type("button").Class("ib "+class).Aria("label", name).Title("%s", name).OnClick(on).Body(icon(path))
}

// textButton is a button that looks like a link.
func textButton(name string, on app.EventHandler) app.HTMLButton {
	return app.Button().Type("button").Class("text").OnClick(on).Text(name)
}
