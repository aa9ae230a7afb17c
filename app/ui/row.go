package ui

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"anteroom/store"
)

// Row is one entry of the log.
type Row struct {
	app.Compo

	M *Model
	E *Entry
}

// Render draws the entry.
func (r *Row) Render() app.UI {
	e := r.E
	body := make([]app.UI, 0, 3)
	if e.Day != "" {
		body = append(body, app.Div().Class("day").Text(e.Day))
	}
	if e.Sys != "" {
		body = append(body, app.Div().Class("sys").Dir("auto").Text(e.Sys))
		return app.Div().Class("row").ID("%s", e.Key).Body(body...)
	}
	body = append(body, r.bubble())
	switch {
	case e.State == store.Failed:
		body = append(body, app.Div().Class("meta r").Body(
			app.B().Text(r.M.T.NotSent),
			app.Button().Type("button").Class("text").OnClick(r.onRetry).Text(r.M.T.Retry),
			app.Button().Type("button").Class("text").OnClick(r.onDiscard).Text(r.M.T.Discard),
		))
		if e.Reason != "" {
			body = append(body, app.Div().Class("meta r").Text(e.Reason))
		}
	case e.Meta != "" && e.Mine:
		body = append(body, app.Div().Class("meta r").Text(e.Meta))
	case e.Meta != "":
		body = append(body, app.Div().Class("meta").Text(e.Meta))
	}
	return app.Div().Class("row").ID("%s", e.Key).Body(body...)
}

func (r *Row) bubble() app.UI {
	e := r.E
	class := "m them"
	if e.Mine {
		class = "m me"
	}
	if e.First {
		class += " first"
	}
	if e.Last {
		class += " last"
	}
	switch e.State {
	case store.Failed:
		class += " failed"
	case store.Waiting, store.Limited, store.Sending:
		class += " pending"
	}
	segments := Segments(e.Text)
	body := make([]app.UI, 0, len(segments)+1)
	body = append(body, app.Span().Class("sr").Text(e.Who))
	for _, s := range segments {
		if s.URL == "" {
			body = append(body, app.Text(s.Text))
			continue
		}
		body = append(body, app.A().Href("%s", s.URL).Target("_blank").Rel("noopener noreferrer nofollow").Text(s.Text))
	}
	return app.Div().Class(class).Dir("auto").Body(body...)
}

func (r *Row) onRetry(app.Context, app.Event) { r.M.Do(store.Retry{ClientID: r.E.ClientID}) }
func (r *Row) onDiscard(app.Context, app.Event) {
	r.M.Do(store.Discard{ClientID: r.E.ClientID})
}
