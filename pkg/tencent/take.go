package tencent

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
)

// taken is what the SDK is given to read in place of an answer that was taken.
const taken = `{"Response":{"RequestId":"taken"}}`

type takerKey struct{}

// Take returns a context for a request whose Result is to be decoded into
// *result, once and by encoding/json. The SDK parses every answer five times,
// which is most of the work of a poll; it gets an answer without the Result
// instead. An answer that holds no Result, because the API refused or something
// else answered, is left to the SDK, and *result is not touched.
func Take[T any](ctx context.Context, result *T) context.Context {
	return context.WithValue(ctx, takerKey{}, func(body []byte) bool {
		var answer struct {
			Response struct {
				Error  *struct{}
				Result *T
			}
		}
		if json.Unmarshal(body, &answer) != nil || answer.Response.Error != nil || answer.Response.Result == nil {
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
	body, err := io.ReadAll(r.Body)
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
