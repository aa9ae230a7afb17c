package storetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"anteroom/store"
)

// Shorten looks for a smaller plan that fails: fewer actions first, then fewer
// kinds of faults. It returns that plan and its failure; the plan given must fail.
func Shorten(plan Plan) (Plan, error) {
	w := NewWorld(plan.Seed)
	faults := drawFaults(w)
	if plan.Faults != nil {
		faults = *plan.Faults
	}
	most := plan.Actions
	if most == 0 {
		most = actions
	}
	err := Run(plan)
	for n := 1; n < most; n++ {
		plan.Actions = n
		if e := Run(plan); e != nil {
			err, most = e, n
			break
		}
	}
	plan.Actions, plan.Faults = most, &faults
	for i := range reflect.TypeFor[Faults]().NumField() {
		fewer := *plan.Faults
		if f := reflect.ValueOf(&fewer).Elem().Field(i); f.IsZero() {
			continue
		} else {
			f.SetZero()
		}
		smaller := plan
		smaller.Faults = &fewer
		for n := 1; n <= plan.Actions; n++ { // without that fault the world takes another course
			smaller.Actions = n
			if e := Run(smaller); e != nil {
				plan, err = smaller, e
				break
			}
		}
	}
	return plan, err
}

// Transcript gives the tab's journal in the form of package store's transcripts.
func (t *Tab) Transcript() []byte {
	var out bytes.Buffer
	at := NewServer().Now
	for _, in := range t.Inputs {
		var what any = in.Fact
		if in.Intent != nil {
			what = in.Intent
		}
		b, err := json.Marshal(what)
		if err != nil {
			panic(err)
		}
		if c, ok := what.(store.Called); ok {
			// Its body stands there as JSON, not as base64.
			b, err = json.Marshal(map[string]any{"Call": c.Call, "Body": json.RawMessage(orNull(c.Body)), "Error": c.Error})
			if err != nil {
				panic(err)
			}
		}
		fmt.Fprintf(&out, "> %d %s", in.At-at, reflect.TypeOf(what).Name())
		if string(b) != "{}" {
			fmt.Fprintf(&out, " %s", b)
		}
		out.WriteByte('\n')
		at = in.At
	}
	return out.Bytes()
}

func orNull(b []byte) []byte {
	if len(b) == 0 {
		return []byte("null")
	}
	return b
}
