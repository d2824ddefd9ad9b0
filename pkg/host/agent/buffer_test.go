package agent

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func newTestBuffer(t testing.TB, dir string, limit int64) (*buffer, *logOutput) {
	t.Helper()
	log, l := newTestLog()
	b, err := openBuffer(dir, limit, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.close() })
	return b, l
}

func appendAll(t testing.TB, b *buffer, records ...string) {
	t.Helper()
	for _, r := range records {
		if err := b.append([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
}

// removeFirst removes the oldest n records, or all if there are fewer.
func removeFirst(b *buffer, n int) (records []string) {
	for range n {
		r, pos, ok := b.first()
		if !ok {
			break
		}
		records = append(records, string(r))
		b.remove(pos)
	}
	return records
}

// numbered returns the records from first to last.
func numbered(first, last int) (records []string) {
	for i := first; i <= last; i++ {
		records = append(records, fmt.Sprintf(`{"n":%d}`, i))
	}
	return records
}

func wantRecords(t testing.TB, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %d records %.200q\nwant %d %.200q", len(got), got, len(want), want)
	}
}

func wantStats(t testing.TB, b *buffer, reports, dropped int64) {
	t.Helper()
	if st := b.stats(); st.reports != reports || st.dropped != dropped {
		t.Errorf("got %d reports waiting and %d dropped, want %d and %d", st.reports, st.dropped, reports, dropped)
	}
}

// Records keep their order over restarts, and removed ones do not return.
func TestBufferOverRestarts(t *testing.T) {
	dir := t.TempDir()
	b, _ := newTestBuffer(t, dir, 1<<20)
	appendAll(t, b, numbered(1, 5)...)
	wantRecords(t, removeFirst(b, 2), numbered(1, 2))
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	if err := b.append([]byte("late")); err == nil {
		t.Error("append to a closed buffer: got nil, want an error")
	}
	b, _ = newTestBuffer(t, dir, 1<<20)
	wantStats(t, b, 3, 0)
	appendAll(t, b, numbered(6, 7)...)
	wantRecords(t, removeFirst(b, 100), numbered(3, 7))
	wantStats(t, b, 0, 0)
	b.close()
	b, _ = newTestBuffer(t, dir, 1<<20)
	wantRecords(t, removeFirst(b, 100), nil)
	appendAll(t, b, numbered(8, 8)...)
	wantRecords(t, removeFirst(b, 100), numbered(8, 8))
}

// Records that are added while the first is being sent do not change which one is
// removed.
func TestBufferRemovesTheFirst(t *testing.T) {
	b, _ := newTestBuffer(t, t.TempDir(), 1<<20)
	appendAll(t, b, "a")
	r, pos, _ := b.first()
	appendAll(t, b, "b")
	if again, _, _ := b.first(); string(r) != "a" || string(again) != "a" {
		t.Errorf("got first %q, then %q, want a twice", r, again)
	}
	b.remove(pos)
	b.remove(pos)
	wantRecords(t, removeFirst(b, 9), []string{"b"})
}

// A process that is killed while it writes loses the record that it writes, and no
// other.
func TestBufferWithTornWrite(t *testing.T) {
	line := encodeLine([]byte(`{"n":3}`))
	for cut := range len(line) {
		dir := t.TempDir()
		b, _ := newTestBuffer(t, dir, 1<<20)
		appendAll(t, b, numbered(1, 2)...)
		b.close()
		file := segmentFiles(t, dir)[0]
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(text, line[:cut]...), 0o600); err != nil {
			t.Fatal(err)
		}
		b, l := newTestBuffer(t, dir, 1<<20)
		lost := int64(min(cut, 1))
		wantStats(t, b, 2, lost)
		if n := int64(l.count("lost")); n != lost {
			t.Errorf("cut at %d: got %d log lines about lost reports, want %d:\n%s", cut, n, lost, l)
		}
		appendAll(t, b, numbered(4, 4)...)
		wantRecords(t, removeFirst(b, 9), append(numbered(1, 2), numbered(4, 4)...))
		b.close()
	}
}

// A byte that is changed damages the record that it belongs to, or two if it is the
// line break between them.
func TestBufferWithDamage(t *testing.T) {
	dir := t.TempDir()
	b, _ := newTestBuffer(t, dir, 1<<20)
	appendAll(t, b, numbered(1, 5)...)
	b.close()
	file := segmentFiles(t, dir)[0]
	intact, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	size := len(intact) / 5
	for i := 2 * size; i < 3*size; i++ {
		for _, to := range []byte{0, '\n', intact[i] ^ 1} {
			damaged := bytes.Clone(intact)
			if damaged[i] == to {
				continue
			}
			damaged[i] = to
			if err := os.WriteFile(file, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			_ = os.Remove(filepath.Join(dir, sentName))
			b, l := newTestBuffer(t, dir, 1<<20)
			want := append(numbered(1, 2), numbered(4, 5)...)
			if i == 3*size-1 { // the line break of the third record
				want = append(numbered(1, 2), numbered(5, 5)...)
			}
			wantRecords(t, removeFirst(b, 9), want)
			if st := b.stats(); st.dropped == 0 || l.count("damaged") == 0 || st.reports != 0 {
				t.Errorf("byte %d changed to %q: got %+v, want dropped reports that are logged\n%s", i, to, st, l)
			}
			b.close()
		}
	}
}

// A full buffer drops the oldest records, and counts and logs them.
func TestFullBuffer(t *testing.T) {
	const limit = 16 << 10
	dir := t.TempDir()
	b, l := newTestBuffer(t, dir, limit)
	record := func(n int) string { return fmt.Sprintf("%05d%s", n, strings.Repeat("x", 95)) } // 110 bytes as a line
	for n := range 1000 {
		appendAll(t, b, record(n))
		if st := b.stats(); st.bytes > limit {
			t.Fatalf("after %d reports: got %d bytes, want %d at most", n+1, st.bytes, limit)
		}
	}
	st := b.stats()
	if st.reports+st.dropped != 1000 || st.reports < limit/110*15/16-1 {
		t.Errorf("got %+v, want 1000 waiting or dropped, and the buffer nearly full", st)
	}
	if n := l.count("lost", "--buffer"); n < 10 || n > 120 {
		t.Errorf("got %d log lines about lost reports, want 10 to 120", n)
	}
	b.close()
	b, _ = newTestBuffer(t, dir, limit)
	var want []string
	for n := 1000 - int(st.reports); n < 1000; n++ {
		want = append(want, record(n))
	}
	wantRecords(t, removeFirst(b, 1000), want)
}

// A record that is dropped while it is being sent is not removed a second time.
func TestFullBufferWhileSending(t *testing.T) {
	b, _ := newTestBuffer(t, t.TempDir(), 64)
	appendAll(t, b, strings.Repeat("a", 40))
	r, pos, _ := b.first()
	appendAll(t, b, strings.Repeat("b", 40))
	if want := strings.Repeat("a", 40); string(r) != want {
		t.Errorf("record being sent: got %q, want %q", r, want)
	}
	b.remove(pos)
	wantStats(t, b, 1, 1)
	wantRecords(t, removeFirst(b, 9), []string{strings.Repeat("b", 40)})
}

// The files of records that were sent are deleted.
func TestBufferFreesTheDisk(t *testing.T) {
	dir := t.TempDir()
	b, _ := newTestBuffer(t, dir, 64<<20)
	record := strings.Repeat("x", 1000)
	for range 1000 {
		appendAll(t, b, record)
		removeFirst(b, 1)
		if n := diskUsage(t, dir); n > drainedSize+2000 {
			t.Fatalf("got %d bytes of records that were sent, want %d at most", n, drainedSize+2000)
		}
	}
}

// While the disk cannot be written, records are kept in memory, in order.
func TestBufferWithFullDisk(t *testing.T) {
	dir := t.TempDir()
	b, l := newTestBuffer(t, dir, 1<<20)
	appendAll(t, b, numbered(1, 2)...)
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	disk := b.out
	b.out = full
	appendAll(t, b, numbered(3, 5)...)
	b.out = disk
	wantStats(t, b, 5, 0)
	wantRecords(t, removeFirst(b, 4), numbered(1, 4))
	appendAll(t, b, numbered(6, 6)...) // after the fifth, which is in memory
	wantRecords(t, removeFirst(b, 9), numbered(5, 6))
	l.wantLine(t, "kept in memory", "no space left")
	b.out = full
	for i := range maxInMemory + 10 {
		appendAll(t, b, fmt.Sprint(i))
	}
	wantStats(t, b, maxInMemory, 10)
	if r, _, _ := b.first(); string(r) != "10" {
		t.Errorf("oldest in memory: got %q, want 10", r)
	}
	b.out = disk
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	b, _ = newTestBuffer(t, dir, 1<<20)
	if got := removeFirst(b, 2000); len(got) != maxInMemory || got[0] != "10" {
		t.Errorf("written at the end: got %d records, want %d from 10 on", len(got), maxInMemory)
	}
}

func TestBufferRejectsLargeRecords(t *testing.T) {
	b, _ := newTestBuffer(t, t.TempDir(), 64<<20)
	appendAll(t, b, strings.Repeat("x", maxRecordSize))
	if err := b.append(make([]byte, maxRecordSize+1)); err == nil {
		t.Error("got nil for a record beyond the limit, want an error")
	}
	if got := removeFirst(b, 2); len(got) != 1 || len(got[0]) != maxRecordSize {
		t.Errorf("got %d records, want the one of the largest size", len(got))
	}
}

// Whatever is in the directory, the buffer opens, terminates, and works.
func FuzzBuffer(f *testing.F) {
	f.Add([]byte("92519c7b a\n"), []byte(""), []byte(""))
	f.Add(encodeLine([]byte("a")), encodeLine([]byte("b"))[:5], encodeLine([]byte("0000000000000003")))
	f.Add([]byte("\n\n\x00\n"), encodeLine([]byte("b")), encodeLine([]byte("ffffffffffffffff")))
	f.Add(bytes.Repeat([]byte("x"), maxLineSize+5), encodeLine([]byte("b")), encodeLine([]byte("-000000000000001")))
	f.Fuzz(func(t *testing.T, first, second, sent []byte) {
		dir := t.TempDir()
		for name, text := range map[string][]byte{"0000000000000000.log": first, "0000000000000020.log": second, sentName: sent, "junk.log": first, "7fffffffffffffff.log": nil} {
			if name == "7fffffffffffffff.log" && len(sent) != 1 {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		b, _ := newTestBuffer(t, dir, 1<<20)
		appendAll(t, b, "new")
		got := removeFirst(b, len(first)+len(second)+2)
		if len(got) == 0 || got[len(got)-1] != "new" {
			t.Errorf("got records %q, want new as the last one", got)
		}
		if st := b.stats(); st.reports != 0 || st.bytes != 0 {
			t.Errorf("got %+v left, want nothing", st)
		}
	})
}

func segmentFiles(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil || len(files) == 0 {
		t.Fatalf("got segments %v, %v, want some", files, err)
	}
	return files
}

func diskUsage(t testing.TB, dir string) (n int64) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}
