package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
)

// dropLines blanks the file and line tables of a Go module in place. They are
// the largest part of its data that nothing but a stack trace reads: the
// runtime shows "?:0" where a function has none (runtime.funcline1), and
// function names stay. Tables that also serve another purpose (the linker
// shares equal ones) are kept.
//
// The layout is runtime/symtab.go's pcHeader and runtime2.go's _func; anything
// that does not look like it is an error, so that a new Go cannot be mangled.
func dropLines(module []byte) error {
	segments, err := dataSegments(module)
	if err != nil {
		return err
	}
	mem := image{segments}
	head, err := mem.header()
	if err != nil {
		return err
	}
	var (
		nfunc  = int(mem.u64(head + 8))
		pctab  = head + mem.u64(head+56)
		pcln   = head + mem.u64(head+64)
		kept   = map[uint64]bool{}
		blank  = map[uint64]bool{}
		fields []uint64
	)
	if nfunc < 100 || nfunc > 1<<20 || pcln <= pctab {
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
		fields = append(fields, f+20, f+24, f+36) // pcfile, pcln, startLine
		for d := range uint64(mem.u32(f + 28)) {  // npcdata
			kept[uint64(mem.u32(f+44+4*d))] = true
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
		mem.clear(f, 4)
	}
	return nil
}

// segment is a stretch of a module's memory, aliasing the module's bytes.
type segment struct {
	at    uint64
	bytes []byte
}

// image is the memory of a module; what no segment holds is zero.
type image struct{ segments []segment }

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

// byteAt returns the stored byte at an address, nil where none is stored.
func (m image) byteAt(at uint64) *byte {
	i := sort.Search(len(m.segments), func(i int) bool { return m.segments[i].at > at }) - 1
	if i < 0 || at-m.segments[i].at >= uint64(len(m.segments[i].bytes)) {
		return nil
	}
	return &m.segments[i].bytes[at-m.segments[i].at]
}

func (m image) u8(at uint64) byte {
	if b := m.byteAt(at); b != nil {
		return *b
	}
	return 0
}

func (m image) u32(at uint64) uint32 {
	var b [4]byte
	for i := range b {
		b[i] = m.u8(at + uint64(i))
	}
	return binary.LittleEndian.Uint32(b[:])
}

func (m image) u64(at uint64) uint64 { return uint64(m.u32(at)) | uint64(m.u32(at+4))<<32 }

func (m image) clear(at uint64, n int) {
	for i := range n {
		if b := m.byteAt(at + uint64(i)); b != nil {
			*b = 0
		}
	}
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
	m.clear(at, int(p-at))
	return nil
}

// dataSegments returns the active data segments of a module, by address.
func dataSegments(module []byte) ([]segment, error) {
	bad := errors.New("line tables: not a WebAssembly module as Go links it")
	if len(module) < 8 || !bytes.Equal(module[:4], []byte("\x00asm")) {
		return nil, bad
	}
	const dataSection = 11
	for rest := module[8:]; len(rest) > 0; {
		id := rest[0]
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || uint64(len(rest)-1-n) < size {
			return nil, bad
		}
		body := rest[1+n:][:size]
		rest = rest[1+n:][size:]
		if id != dataSection {
			continue
		}
		count, n := binary.Uvarint(body)
		if n <= 0 {
			return nil, bad
		}
		body = body[n:]
		segments := make([]segment, 0, count)
		for range count {
			// 0 (memory 0), i32.const, address, end, length, bytes
			if len(body) < 3 || body[0] != 0 || body[1] != 0x41 {
				return nil, bad
			}
			at, n := signed(body[2:])
			if n <= 0 || len(body) < 3+n || body[2+n] != 0x0b {
				return nil, bad
			}
			body = body[3+n:]
			size, n := binary.Uvarint(body)
			if n <= 0 || uint64(len(body)-n) < size {
				return nil, bad
			}
			segments = append(segments, segment{uint64(uint32(at)), body[n:][:size]})
			body = body[n:][size:]
		}
		sort.Slice(segments, func(i, j int) bool { return segments[i].at < segments[j].at })
		return segments, nil
	}
	return nil, bad
}

// signed reads a signed LEB128 number and how many bytes it took, 0 if it is cut off.
func signed(b []byte) (v int64, n int) {
	for shift := 0; n < len(b) && shift < 64; {
		c := b[n]
		n++
		v |= int64(c&0x7f) << shift
		shift += 7
		if c < 0x80 {
			if c&0x40 != 0 && shift < 64 {
				v |= -1 << shift
			}
			return v, n
		}
	}
	return 0, 0
}
