package api

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// mediaType is the media type of a body, which must be among those taken; "" when
// the sender names none.
func mediaType(r *http.Request, taken []string) (string, error) {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return "", nil
	}
	media, params, err := mime.ParseMediaType(header)
	if err != nil {
		return "", malformed(http.StatusBadRequest, "parsing Content-Type header from %q failed, because %s", cut(header), err)
	}
	if !slices.Contains(taken, media) {
		return "", malformed(http.StatusUnsupportedMediaType, "unsupported media type %q, only [%s] are allowed", cut(media), strings.Join(taken, " "))
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return "", malformed(http.StatusUnsupportedMediaType, "unsupported charset %q, only utf-8 is allowed", cut(charset))
	}
	return media, nil
}

// readPacked reads a body of at most limit bytes, and as many when it is unpacked.
func readPacked(r *http.Request, limit int64) ([]byte, error) {
	tooLarge := malformed(http.StatusRequestEntityTooLarge, "the body has more than %d bytes: send less in one request, or raise webhook.max_body", limit)
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	var body io.Reader = http.MaxBytesReader(nil, r.Body, limit)
	switch encoding := r.Header.Get("Content-Encoding"); strings.ToLower(encoding) {
	case "", "identity":
	case "gzip":
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return nil, malformed(http.StatusBadRequest, "the body is not gzip, as Content-Encoding says: %s", err)
		}
		body = unpacked
	default:
		return nil, malformed(http.StatusUnsupportedMediaType, "unsupported content encoding %q, only [gzip] is allowed", cut(encoding))
	}
	read, err := io.ReadAll(io.LimitReader(body, limit+1))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large), int64(len(read)) > limit:
		return nil, tooLarge
	case err != nil:
		return nil, malformed(http.StatusBadRequest, "reading the body failed: %s", err)
	}
	return read, nil
}

// addedLabels are those that a query adds to every alert, name:value each.
func (a *api) addedLabels(pairs []string) (map[string]string, error) {
	if len(pairs) > a.Limits.Labels {
		return nil, fmt.Errorf("%d labels in the query, no more than %d are taken", len(pairs), a.Limits.Labels)
	}
	added := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, ":")
		switch {
		case !utf8.ValidString(pair):
			return nil, errors.New("a label in the query is not UTF-8")
		case !ok || value == "" || !a.validName(name):
			return nil, fmt.Errorf("label %q in the query is not a label: write it as name:value", cut(pair))
		}
		added[name] = value
	}
	return added, nil
}

const (
	fetchTime = 5 * time.Second
	maxFetch  = 64 << 10 // bytes of an answer; a certificate has two thousand
)

// fetch asks Amazon SNS.
func (a *api) fetch(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := a.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", req.URL.Host, unwrapURL(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFetch))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", req.URL.Host, resp.Status)
	}
	return body, err
}

// unwrapURL is an error without the address in it, which holds a token.
func unwrapURL(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
