package ssm

import (
	"context"
	"errors"
	"fmt"
	"io"

	"ssm/certs"
	"ssm/sync/offline"
)

// AnswerFile answers the request in one file by a response in another, as
// Answer does. What was there before is replaced only by a whole response.
func (u *Upstream) AnswerFile(ctx context.Context, request, response string, options AnswerOptions) (Answer, error) {
	file, size, err := offline.Open(request)
	if err != nil {
		return Answer{}, err
	}
	answer, err := u.Answer(ctx, file, size, options)
	if err = errors.Join(err, file.Close()); err != nil {
		return Answer{}, err
	}
	err = offline.WriteFile(response, func(w io.Writer) error {
		_, err := w.Write(answer.Body)
		return err
	})
	if err != nil {
		return Answer{}, fmt.Errorf("the request was kept, but its response could not be written: answer it again, elsewhere: %w", err)
	}
	return answer, nil
}

// Inspect says what is in a sync file, whoever signed it.
func Inspect(path string) (offline.Summary, error) {
	file, size, err := offline.Open(path)
	if err != nil {
		return offline.Summary{}, err
	}
	summary, err := offline.Inspect(file, size)
	return summary, errors.Join(err, file.Close())
}

// Root is the licensing root, which satellites and devices have to be told.
type Root struct {
	Subject     string `json:"subject"`
	Fingerprint string `json:"fingerprint"`    // SHA-256, as OpenSSL prints it
	File        string `json:"file,omitempty"` // where it was written to
}

// Root describes the licensing root.
func (u *Upstream) Root() Root {
	return Root{Subject: u.keys.root.Subject.String(), Fingerprint: certs.Fingerprint(u.keys.root)}
}

// WriteRoot writes the certificate of the licensing root, as PEM.
func (u *Upstream) WriteRoot(path string) (Root, error) {
	root := u.Root()
	root.File = path
	return root, certs.WriteFile(path, certs.EncodePEM(u.keys.root), 0o644)
}
