/* hello: open a model, ask it something, print the answer.   cc hello.c $(pkg-config --cflags --libs wick) */
#include <stdio.h>
#include <wick.h>

static bool print(void *user, const char *text, size_t size) { return fwrite(text, 1, size, user) == size; }

int main(int argc, char **argv) {
    wick_error err = {0};
    wick_model *model = NULL;
    wick_session *session = NULL;
    wick_model_options model_options = wick_model_options_default();
    wick_session_options session_options = wick_session_options_default();
    wick_generate_options ask = wick_generate_options_default();
    wick_message question = {"user", argc > 2 ? argv[2] : "What is the capital of France?"};
    ask.on_text = print, ask.user = stdout;
    ask.max_new_tokens = 200;

    if (wick_model_open(argc > 1 ? argv[1] : "model.pte", &model_options, &model, &err) == WICK_OK &&
        wick_session_new(model, &session_options, &session, &err) == WICK_OK) {
        if (wick_chat_available(model, NULL, NULL))
            ask.messages = &question, ask.n_messages = 1;
        else
            ask.prompt = question.content; /* no chat format: the model continues the text */
        wick_generate(session, &ask, NULL, &err);
    }
    wick_session_free(session);
    wick_model_close(model);
    puts(err.message);
    return err.code == WICK_OK ? 0 : 1;
}
