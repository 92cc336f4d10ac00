package adminapi

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"

	"github.com/danielgtaylor/huma/v2"

	"ssm/satellite"
	"ssm/satellite/wire"
	"ssm/sync/offline"
)

const octetStream = "application/octet-stream"

// upload is a request whose body is a file. It is not read before the handler does.
type upload struct {
	body io.Reader
}

// Resolve takes hold of the body. A type that the operation does not describe
// is refused: a form or a JSON text is no file.
func (u *upload) Resolve(ctx huma.Context) []error {
	u.body = ctx.BodyReader()
	given := ctx.Header("Content-Type")
	if given == "" {
		return nil
	}
	parsed, _, err := mime.ParseMediaType(given)
	if err == nil && ctx.Operation().RequestBody.Content[parsed] != nil {
		return nil
	}
	return []error{&mediaTypeError{}}
}

type mediaTypeError struct{}

func (*mediaTypeError) Error() string { return "send the file itself as " + octetStream }

func (*mediaTypeError) GetStatus() int { return http.StatusUnsupportedMediaType }

// file describes the body of an operation that takes a file.
func file(description string, mediaTypes ...string) func(*huma.Operation) {
	return func(op *huma.Operation) {
		op.RequestBody = &huma.RequestBody{Description: description, Required: true, Content: map[string]*huma.MediaType{}}
		for _, mediaType := range append(mediaTypes, octetStream) {
			op.RequestBody.Content[mediaType] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
		}
		documentProblem(op, http.StatusUnsupportedMediaType)
	}
}

// spool takes the body onto the disk. KindTooLarge; KindInvalid where it breaks off.
func (a *api) spool(u upload, limit int64) (*os.File, int64, error) {
	spooled, size, err := offline.Spool(u.body, a.temporaryFolder, limit)
	return spooled, size, uploadProblem(err, limit)
}

// read takes a small body into memory. KindTooLarge; KindInvalid where it breaks off.
func (u upload) read(limit int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(u.body, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = wire.ErrTooLarge
	}
	return content, uploadProblem(err, limit)
}

func uploadProblem(err error, limit int64) error {
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, wire.ErrTooLarge), errors.As(err, &tooLarge):
		return &satellite.Error{
			Kind: satellite.KindTooLarge, Code: "upload-too-large",
			Message: fmt.Sprintf("The file is larger than the %d bytes that are read here. Nothing was changed.", limit), Hint: "Check that it is the right file.", Err: err,
		}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &satellite.Error{
			Kind: satellite.KindInvalid, Code: "upload-incomplete",
			Message: "The connection broke off before the whole file had arrived. Nothing was changed.", Hint: "Send it again.", Err: err,
		}
	}
	return err
}

// download is an answer whose body is a file. Content is read to its end and closed.
type download struct {
	ContentType        string `header:"Content-Type"`
	ContentDisposition string `header:"Content-Disposition"`
	Body               func(huma.Context)
}

func attachment(name string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}

// pemFile is a download of text that is in memory.
func pemFile(name string, text []byte) *download {
	return &download{
		ContentType: pemType, ContentDisposition: attachment(name),
		Body: func(ctx huma.Context) {
			// An error means that the client has gone, whom nobody can tell.
			_, _ = ctx.BodyWriter().Write(text)
		},
	}
}

const pemType = "application/x-pem-file"

// answersFile describes the answer of an operation that gives a file, of one of
// the types.
func answersFile(mediaTypes ...string) func(*huma.Operation) {
	return func(op *huma.Operation) {
		response := &huma.Response{Description: "The file", Content: map[string]*huma.MediaType{}}
		for _, mediaType := range mediaTypes {
			response.Content[mediaType] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
		}
		op.Responses["200"] = response
	}
}
