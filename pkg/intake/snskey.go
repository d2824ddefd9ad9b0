package intake

import (
	"context"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha1"   // for signatures of version 1
	_ "crypto/sha256" // and of version 2
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"time"
)

// snsHashes are the hashes of signatures, by their version.
var snsHashes = map[string]crypto.Hash{"1": crypto.SHA1, "2": crypto.SHA256}

// signedFields are what is signed of a message, in this order, by its type
// (sns/latest/dg/sns-verify-signature-of-message.html).
var (
	signedNotification = []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	signedConfirmation = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
)

// stringToSign is each signed field that is there: its name and its value, a line
// each.
func stringToSign(top node) string {
	names := signedConfirmation
	if top.get("Type").text() == snsNotification {
		names = signedNotification
	}
	var b strings.Builder
	for _, name := range names {
		if n := top.get(name); n.is() {
			b.WriteString(name + "\n" + n.text() + "\n")
		}
	}
	return b.String()
}

// maxKeys bounds how many keys are kept. A region has one, and another while it
// changes.
const maxKeys = 64

// keys are the public keys of certificates, by address.
type keys struct {
	mu    sync.Mutex
	known map[string]snsKey
}

type snsKey struct {
	*rsa.PublicKey
	begin, end time.Time
}

// at is the key of the certificate at an address, fetched unless it is known.
func (k *keys) at(ctx context.Context, address string, now time.Time, get Fetch) (*rsa.PublicKey, error) {
	k.mu.Lock()
	key, ok := k.known[address]
	k.mu.Unlock()
	if !ok {
		text, err := get(ctx, address)
		if err != nil {
			return nil, fmt.Errorf("fetch the certificate of the signature: %w: %w", ErrUnreachable, err)
		}
		if key, ok = readKey(text); !ok {
			return nil, faultf("SigningCertURL", "does not lead to a certificate with an RSA key")
		}
	}
	if now.Before(key.begin) || now.After(key.end) {
		return nil, faultf("SigningCertURL", "leads to a certificate that is not valid now")
	}
	k.keep(address, key)
	return key.PublicKey, nil
}

func (k *keys) keep(address string, key snsKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil || len(k.known) >= maxKeys {
		k.known = map[string]snsKey{}
	}
	k.known[address] = key
}

func readKey(text []byte) (snsKey, bool) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return snsKey{}, false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return snsKey{}, false
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	return snsKey{key, cert.NotBefore, cert.NotAfter}, ok
}
