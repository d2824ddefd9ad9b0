package wecom

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
)

// maxImage is the size of an image in bytes, before base64.
const maxImage = 2 << 20

// readImage reads an image: base64, and the MD5 of the bytes before it, in
// hexadecimal. The codes are those of the vendor's list of all codes
// (document/path/90313), where the robot's own page names none.
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
	picture, err := base64.StdEncoding.DecodeString(c.Base64)
	if err != nil {
		return nil, &apiError{40058, "invalid Request Parameter, image.base64"}
	}
	if sum := md5.Sum(picture); hex.EncodeToString(sum[:]) != c.MD5 {
		return nil, &apiError{301019, "media md5 not match"}
	}
	if len(picture) > maxImage {
		return nil, &apiError{40009, "invalid image size"}
	}
	if kind := http.DetectContentType(picture); kind != "image/png" && kind != "image/jpeg" {
		return nil, &apiError{40005, "invalid file type"}
	}
	return &Message{Type: "image", Image: picture}, nil
}
