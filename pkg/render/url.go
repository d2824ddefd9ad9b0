package render

import (
	"fmt"
	"net/url"
	"strings"
)

// encoded is text that is percent-encoded.
type encoded string

// percentEncode encodes the text of values, except for one that is encoded already.
func percentEncode(values ...any) encoded {
	if len(values) == 1 {
		if e, ok := values[0].(encoded); ok {
			return e
		}
	}
	return encoded(strings.ReplaceAll(url.QueryEscape(fmt.Sprint(values...)), "+", "%20"))
}
