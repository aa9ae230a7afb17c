package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sort"
)

// gap is the longest stretch of zeros that is stored rather than left out.
const gap = 4096

// slimData writes a Go module's data anew. The linker leaves out every few
// zeros and so makes some 100,000 segments, whose headers compress to 100 KB
// of brotli, while zeros compress to nothing. Unless lines is true, what
// dropLines names goes as well.
func slimData(module []byte, lines bool) ([]byte, error) {
	section, segments, err := dataSection(module)
	if err != nil {
		return nil, err
	}
	mem := image{merge(segments)}
	if !lines {
		if err := dropLines(mem); err != nil {
			return nil, err
		}
	}
	body := binary.AppendUvarint(nil, uint64(len(mem.segments)))
	for _, s := range mem.segments {
		body = append(body, 0, i32Const)
		body = appendSigned(body, int64(int32(uint32(s.at))))
		body = append(body, end)
		body = binary.AppendUvarint(body, uint64(len(s.bytes)))
		body = append(body, s.bytes...)
	}
	out := append([]byte(nil), module[:section.from]...)
	out = append(out, sectionOfData)
	out = binary.AppendUvarint(out, uint64(len(body)))
	out = append(out, body...)
	return append(out, module[section.to:]...), nil
}

// segment is a stretch of a module's memory.
type segment struct {
	at    uint64
	bytes []byte
}

// image is the memory of a module; what no segment holds is zero.
type image struct{ segments []segment } // sorted by address, apart from each other

// merge joins segments, sorted by address, across gaps; it copies their bytes.
func merge(segments []segment) (merged []segment) {
	for _, s := range segments {
		if n := len(merged); n > 0 {
			last := &merged[n-1]
			if zeros := s.at - last.at - uint64(len(last.bytes)); zeros <= gap {
				last.bytes = append(append(last.bytes, make([]byte, zeros)...), s.bytes...)
				continue
			}
		}
		merged = append(merged, segment{s.at, bytes.Clone(s.bytes)})
	}
	return merged
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

// fill sets n stored bytes to v.
func (m image) fill(at uint64, n int, v byte) {
	for i := range n {
		if b := m.byteAt(at + uint64(i)); b != nil {
			*b = v
		}
	}
}

// The parts of the format that are met here.
const (
	sectionOfData = 11
	i32Const      = 0x41
	end           = 0x0b
)

// span is a stretch of a module's bytes.
type span struct{ from, to int }

// dataSection returns where a module's data section is, and its active
// segments by address, aliasing the module's bytes.
func dataSection(module []byte) (section span, segments []segment, err error) {
	bad := errors.New("data: not a WebAssembly module as Go links it")
	if len(module) < 8 || !bytes.Equal(module[:4], []byte("\x00asm")) {
		return section, nil, bad
	}
	for at := 8; at < len(module); at = section.to {
		id := module[at]
		size, n := binary.Uvarint(module[at+1:])
		if n <= 0 || uint64(len(module)-at-1-n) < size {
			return section, nil, bad
		}
		section = span{at, at + 1 + n + int(size)}
		if id != sectionOfData {
			continue
		}
		body := module[at+1+n : section.to]
		count, n := binary.Uvarint(body)
		if n <= 0 {
			return section, nil, bad
		}
		body = body[n:]
		for range count {
			// 0 (memory 0), i32.const, address, end, length, bytes
			if len(body) < 3 || body[0] != 0 || body[1] != i32Const {
				return section, nil, bad
			}
			at, n := signed(body[2:])
			if n <= 0 || len(body) < 3+n || body[2+n] != end {
				return section, nil, bad
			}
			body = body[3+n:]
			size, n := binary.Uvarint(body)
			if n <= 0 || uint64(len(body)-n) < size {
				return section, nil, bad
			}
			segments = append(segments, segment{uint64(uint32(at)), body[n:][:size]})
			body = body[n:][size:]
		}
		if len(body) > 0 {
			return section, nil, bad
		}
		sort.Slice(segments, func(i, j int) bool { return segments[i].at < segments[j].at })
		for i := 1; i < len(segments); i++ {
			if last := segments[i-1]; last.at+uint64(len(last.bytes)) > segments[i].at {
				return section, nil, errors.New("data: segments overlap")
			}
		}
		return section, segments, nil
	}
	return section, nil, bad
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

// appendSigned writes v as signed reads it.
func appendSigned(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}
