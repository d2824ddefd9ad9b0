package wecom

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// limits are the longest contents in bytes of UTF-8. Longer ones are rejected, not
// cut.
var limits = map[string]int{"text": 2048, "markdown": 4096, "markdown_v2": 4096}

// content is the object under the name of the message's type.
type content struct {
	Content string   `json:"content"`
	Users   []string `json:"mentioned_list"`
	Mobiles []string `json:"mentioned_mobile_list"`
}

// parse returns a message, or the error that does not depend on the robot.
func parse(r *http.Request) (*Message, *apiError) {
	if r.Method != http.MethodPost {
		return nil, &apiError{40058, "invalid Request Parameter, POST required"}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil || !utf8.Valid(body) {
		return nil, &apiError{40058, "invalid Request Parameter, not UTF-8"}
	}
	if lower := bytes.ToLower(body); slices.ContainsFunc([]string{`\u003c`, `\u003e`, `\u0026`}, func(s string) bool {
		return bytes.Contains(lower, []byte(s))
	}) {
		return nil, &apiError{40033, `illegal characters, no \uxxxx form`}
	}
	var parts map[string]json.RawMessage
	var kind string
	if json.Unmarshal(body, &parts) != nil || json.Unmarshal(parts["msgtype"], &kind) != nil {
		return nil, &apiError{40058, "invalid Request Parameter, not a JSON object with msgtype"}
	}
	limit, known := limits[kind]
	if !known && kind != "image" {
		return nil, &apiError{40008, "invalid message type"}
	}
	if parts[kind] == nil {
		return nil, &apiError{40063, "some parameters are empty"}
	}
	if kind == "image" {
		return parseImage(parts[kind])
	}
	var c content
	if json.Unmarshal(parts[kind], &c) != nil {
		return nil, &apiError{40058, "invalid Request Parameter, " + kind}
	}
	switch {
	case strings.TrimSpace(c.Content) == "":
		return nil, &apiError{44004, "empty content"}
	case len(c.Content) > limit:
		return nil, &apiError{40058, fmt.Sprintf("%s.content exceed max length %d. invalid Request Parameter", kind, limit)}
	}
	m := &Message{Type: kind, Content: c.Content}
	if kind == "text" {
		m.Users, m.Mobiles = c.Users, c.Mobiles
	}
	if kind != "markdown_v2" {
		m.Users = append(m.Users, mentioned(c.Content)...)
	}
	return m, nil
}

// mentioned returns the ids in <@userid>.
func mentioned(content string) []string {
	var users []string
	for {
		_, rest, found := strings.Cut(content, "<@")
		user, after, closed := strings.Cut(rest, ">")
		if !found || !closed {
			return users
		}
		users = append(users, user)
		content = after
	}
}

// maxImage is the size of an image in bytes, before base64.
const maxImage = 2 << 20

// parseImage returns an image: base64, and the MD5 of the bytes before it, in
// hexadecimal. The codes are from the vendor's list of all codes
// (document/path/90313); the robot's own page has none.
func parseImage(part json.RawMessage) (*Message, *apiError) {
	var c struct {
		Base64 string `json:"base64"`
		MD5    string `json:"md5"`
	}
	if json.Unmarshal(part, &c) != nil {
		return nil, &apiError{40058, "invalid Request Parameter, image"}
	}
	if c.Base64 == "" || c.MD5 == "" {
		return nil, &apiError{40063, "some parameters are empty"}
	}
	image, err := base64.StdEncoding.DecodeString(c.Base64)
	if err != nil {
		return nil, &apiError{40058, "invalid Request Parameter, image.base64"}
	}
	if sum := md5.Sum(image); hex.EncodeToString(sum[:]) != c.MD5 {
		return nil, &apiError{301019, "media md5 not match"}
	}
	if len(image) > maxImage {
		return nil, &apiError{40009, "invalid image size"}
	}
	if kind := http.DetectContentType(image); kind != "image/png" && kind != "image/jpeg" {
		return nil, &apiError{40005, "invalid file type"}
	}
	return &Message{Type: "image", Image: image}, nil
}
