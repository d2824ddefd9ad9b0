package tencent

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// taken is what the SDK is given to read in place of an answer that was taken.
const taken = `{"Response":{"RequestId":"taken"}}`

type takerKey struct{}

// Take returns a context for a request whose Result is to be decoded into
// *result, once and by what is to become encoding/json/v2, in half the time that
// encoding/json takes. The SDK parses every answer five times, which is most of
// the work of a poll; it gets an answer without the Result instead. An answer
// that holds no Result, because the API refused or something else answered, is
// left to the SDK, and *result is not touched.
//
// A broken character, or a name that is there twice, does not hide the rest.
func Take[T any](ctx context.Context, result *T) context.Context {
	return context.WithValue(ctx, takerKey{}, func(body []byte) bool {
		var answer struct {
			Response struct {
				Error  *struct{}
				Result *T
			}
		}
		err := json.Unmarshal(body, &answer, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
		if err != nil || answer.Response.Error != nil || answer.Response.Result == nil {
			return false
		}
		*result = *answer.Response.Result
		return true
	})
}

// hand passes the answer to the taker of the request, if it has one.
func hand(r *http.Response) {
	take, ok := r.Request.Context().Value(takerKey{}).(func([]byte) bool)
	if !ok || r.StatusCode != http.StatusOK {
		return
	}
	var buffer bytes.Buffer
	buffer.Grow(int(min(max(r.ContentLength, 0), 1<<20)) + bytes.MinRead)
	_, err := buffer.ReadFrom(r.Body)
	body := buffer.Bytes()
	r.Body.Close()
	switch {
	case err != nil:
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
	case take(body):
		r.Body = io.NopCloser(bytes.NewReader([]byte(taken)))
	default:
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
}

// failing is a reader that broke off.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
