package main

import (
	"bytes"
	"errors"
	"fmt"
)

// The tables of a function that nobody in a browser reads (internal/abi/symtab.go):
// where a signal may interrupt it, which js/wasm has none of, and which words of
// its arguments a stack trace prints. A missing one is 0 among the pcdata and
// all ones among the funcdata.
const (
	unsafePoint = 0 // pcdata
	argLive     = 3
	argInfo     = 5 // funcdata
	argLiveInfo = 6
)

// dropLines blanks the file and line tables of a Go module's memory, and what
// else only stack traces and signals read. The runtime shows "?:0" where a
// function has no lines (runtime.funcline1), and function names stay. Tables
// that also serve another purpose (the linker shares equal ones) are kept.
//
// The layout is runtime/symtab.go's pcHeader and runtime2.go's _func; anything
// that does not look like it is an error, so that a new Go cannot be mangled.
func dropLines(mem image) error {
	head, err := mem.header()
	if err != nil {
		return err
	}
	var (
		nfunc  = int(mem.u64(head + 8))
		cutab  = head + mem.u64(head+40) // which files a compiled unit has; the file names follow
		pctab  = head + mem.u64(head+56)
		pcln   = head + mem.u64(head+64)
		kept   = map[uint64]bool{}
		blank  = map[uint64]bool{}
		fields []uint64
	)
	if nfunc < 100 || nfunc > 1<<20 || cutab <= head || pctab <= cutab || pcln <= pctab {
		return errors.New("line tables: the header of the function table is not as expected")
	}
	for i := range nfunc {
		f := pcln + uint64(mem.u32(pcln+uint64(8*i)+4)) // ftab: entry and offset
		if mem.u32(f) != mem.u32(pcln+uint64(8*i)) {
			return fmt.Errorf("line tables: function %d is not as expected", i)
		}
		kept[uint64(mem.u32(f+16))] = true // pcsp
		blank[uint64(mem.u32(f+20))] = true
		blank[uint64(mem.u32(f+24))] = true
		fields = append(fields, f+20, f+24, f+32, f+36) // pcfile, pcln, cuOffset, startLine
		npcdata, nfuncdata := uint64(mem.u32(f+28)), uint64(mem.u8(f+43))
		if npcdata > 8 || nfuncdata > 16 {
			return fmt.Errorf("line tables: function %d is not as expected", i)
		}
		for d := range npcdata {
			field := f + 44 + 4*d
			if d == unsafePoint || d == argLive {
				blank[uint64(mem.u32(field))] = true
				fields = append(fields, field)
			} else {
				kept[uint64(mem.u32(field))] = true
			}
		}
		for _, d := range []uint64{argInfo, argLiveInfo} {
			if d < nfuncdata {
				mem.fill(f+44+4*npcdata+4*d, 4, 0xff)
			}
		}
	}
	for off := range blank {
		if off == 0 || kept[off] {
			continue
		}
		if err := mem.clearTable(pctab + off); err != nil {
			return err
		}
	}
	for _, f := range fields {
		mem.fill(f, 4, 0)
	}
	mem.fill(cutab, int(pctab-cutab), 0)
	return nil
}

// header returns the address of the one pcHeader.
func (m image) header() (uint64, error) {
	magic := []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}
	var found []uint64
	for _, s := range m.segments {
		for from := 0; ; {
			i := bytes.Index(s.bytes[from:], magic)
			if i < 0 {
				break
			}
			found = append(found, s.at+uint64(from+i))
			from += i + len(magic)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("line tables: %d headers of a function table, want 1", len(found))
	}
	return found[0], nil
}

// clearTable blanks the table at an address: pairs of varints until a value
// delta of 0 that is not the first.
func (m image) clearTable(at uint64) error {
	p := at
	varint := func() (v uint64) {
		for shift := 0; shift < 64; shift += 7 {
			b := m.u8(p)
			p++
			v |= uint64(b&0x7f) << shift
			if b < 0x80 {
				break
			}
		}
		return v
	}
	for first := true; ; first = false {
		if p-at > 1<<20 {
			return errors.New("line tables: a table does not end")
		}
		if varint() == 0 && !first {
			break
		}
		varint()
	}
	m.fill(at, int(p-at), 0)
	return nil
}
