package wecom

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

func picture(base64, md5 string) string {
	return fmt.Sprintf(`{"msgtype":"image","image":{"base64":%q,"md5":%q}}`, base64, md5)
}

// The sums are md5sum's.
func TestImage(t *testing.T) {
	jpeg := func(size int) string {
		return base64.StdEncoding.EncodeToString(append([]byte{0xff, 0xd8, 0xff}, make([]byte, size-3)...))
	}
	for _, tt := range []struct {
		name, base64, md5 string
		code              int
	}{
		{"a PNG", "iVBORw0KGgo=", "e9dd2797018cad79186e03e8c5aec8dc", 0},
		{"a JPEG of 2 MB", jpeg(2 << 20), "f4177f6ec3353179303cc72a7aaae2e0", 0},
		{"a byte more", jpeg(2<<20 + 1), "c15294ae303bf80830a6ea35ca0c36a3", 40009},
		{"the sum of another", "iVBORw0KGgo=", "d718f4d374abcade9c50585aeee2f713", 301019},
		{"a GIF", "R0lGODlh", "1ac2109d47dbc72551f71df89d01ed18", 40005},
		{"no base64", "iVBORw0KGgo", "e9dd2797018cad79186e03e8c5aec8dc", 40058},
		{"nothing", "", "d41d8cd98f00b204e9800998ecf8427e", 40063},
		{"no sum", "iVBORw0KGgo=", "", 40063},
	} {
		s, _ := start()
		if code, msg := call(t, s, "POST", "k1", picture(tt.base64, tt.md5)); code != tt.code {
			t.Errorf("%s: %d %s, want %d", tt.name, code, msg, tt.code)
		}
		if got := len(s.Inbox()); (got == 1) != (tt.code == 0) {
			t.Errorf("%s: %d messages in the inbox", tt.name, got)
		}
	}
}

// Images and texts share the twenty of a minute.
func TestImagesCount(t *testing.T) {
	s, _ := start()
	for i := range PerMinute {
		body := markdown("x")
		if i%2 == 0 {
			body = picture("iVBORw0KGgo=", "e9dd2797018cad79186e03e8c5aec8dc")
		}
		if code, msg := call(t, s, "POST", "k1", body); code != 0 {
			t.Fatalf("message %d: %d %s", i+1, code, msg)
		}
	}
	if code, _ := call(t, s, "POST", "k1", picture("iVBORw0KGgo=", "e9dd2797018cad79186e03e8c5aec8dc")); code != 45009 {
		t.Errorf("message 21: %d", code)
	}
	if m := s.Inbox()[0]; m.Type != "image" || !bytes.Equal(m.Image, []byte("\x89PNG\r\n\x1a\n")) || strings.TrimSpace(m.Content) != "" {
		t.Errorf("%+v", m)
	}
}
