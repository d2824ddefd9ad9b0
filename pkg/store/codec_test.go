package store

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// plain has no binary form.
type plain struct {
	Name string `json:"name"`
}

// binary has one, with a type byte in front.
type binary struct{ text string }

func (b binary) MarshalBinary() ([]byte, error) {
	if b.text == "" {
		return nil, errors.New("no text")
	}
	return append([]byte{1}, b.text...), nil
}

func (b *binary) UnmarshalBinary(data []byte) error {
	if len(data) == 0 || data[0] != 1 {
		return errors.New("not format 1")
	}
	b.text = string(data[1:])
	return nil
}

func TestEncode(t *testing.T) {
	for _, test := range []struct {
		name  string
		value any
		want  string
	}{
		{"a struct without a binary form is JSON", plain{"x"}, `{"name":"x"}`},
		{"a list is JSON", []int64{1, 2}, `[1,2]`},
		{"a value with a binary form is written in it", binary{"x"}, "\x01x"},
		{"a pointer to one too", &binary{"x"}, "\x01x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := Encode("kind/1", test.value)
			if err != nil || c.Key != "kind/1" || string(c.Value) != test.want {
				t.Errorf("got %q under %q, %v, want %q under kind/1", c.Value, c.Key, err, test.want)
			}
		})
	}
	for name, value := range map[string]any{
		"a value that is no JSON":      func() {},
		"a binary form that cannot be": binary{},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Encode("kind/1", value); err == nil || !strings.HasPrefix(err.Error(), "encode kind/1: ") {
				t.Errorf("got %v, want an error that names the key", err)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	t.Run("an absent key is not found and leaves the value", func(t *testing.T) {
		v := plain{"before"}
		if found, err := Decode(Item{Key: "kind/1"}, &v); found || err != nil || v.Name != "before" {
			t.Errorf("got %+v, %v, %v, want it untouched", v, found, err)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		var v plain
		if found, err := Decode(Item{Key: "kind/1", Version: 7, Value: []byte(`{"name":"x","later":1}`)}, &v); !found || err != nil || v.Name != "x" {
			t.Errorf("got %+v, %v, %v, want x", v, found, err)
		}
	})
	t.Run("binary", func(t *testing.T) {
		var v binary
		if found, err := Decode(Item{Key: "kind/1", Version: 7, Value: []byte("\x01x")}, &v); !found || err != nil || v.text != "x" {
			t.Errorf("got %+v, %v, %v, want x", v, found, err)
		}
	})
	t.Run("a damaged value is an error that names the key", func(t *testing.T) {
		var syntax *json.SyntaxError
		found, err := Decode(Item{Key: "kind/1", Version: 7, Value: []byte("}")}, new(plain))
		if found || !errors.As(err, &syntax) || !strings.Contains(err.Error(), "kind/1") {
			t.Errorf("got %v, %v, want a syntax error of kind/1", found, err)
		}
		if found, err := Decode(Item{Key: "kind/1", Version: 7, Value: []byte("\x02x")}, new(binary)); found || err == nil {
			t.Errorf("binary: got %v, %v, want an error", found, err)
		}
	})
	t.Run("a time is what Encode made of it", func(t *testing.T) {
		want := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
		c, err := Encode("kind/1", want)
		if err != nil {
			t.Fatal(err)
		}
		var got time.Time
		if found, err := Decode(Item{Key: c.Key, Version: 1, Value: c.Value}, &got); !found || err != nil || !got.Equal(want) {
			t.Errorf("got %v, %v, %v, want %v", got, found, err, want)
		}
	})
}

func TestRetryOnConflict(t *testing.T) {
	other := errors.New("other")
	for _, test := range []struct {
		name      string
		conflicts int   // before err
		err, want error // what fn returns at last, and what RetryOnConflict does
		calls     int
	}{
		{"success is not repeated", 0, nil, nil, 1},
		{"another error is not repeated", 0, other, other, 1},
		{"conflicts are retried until success", 15, nil, nil, 16},
		{"conflicts are retried until another error", 3, other, other, 4},
		{"it gives up after 16 conflicts", 1000, nil, ErrConflict, 16},
	} {
		t.Run(test.name, func(t *testing.T) {
			calls := 0
			err := RetryOnConflict(t.Context(), func() error {
				if calls++; calls <= test.conflicts {
					return Conflict("kind/1")
				}
				return test.err
			})
			if !errors.Is(err, test.want) || calls != test.calls {
				t.Errorf("got %v after %d calls, want %v after %d", err, calls, test.want, test.calls)
			}
		})
	}
	t.Run("a context that is done ends it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		err := RetryOnConflict(ctx, func() error { calls++; cancel(); return ErrConflict })
		if !errors.Is(err, context.Canceled) || calls != 1 {
			t.Errorf("got %v after %d calls, want context.Canceled after 1", err, calls)
		}
	})
}
