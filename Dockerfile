# What the program needs and nothing of yours: settings, keys and data are handed to the container.
FROM python:3.11-slim

# Such as "postgres,s3": extras of pyproject.toml.
ARG EXTRAS=""
ENV PYTHONUNBUFFERED=1

WORKDIR /app
COPY pyproject.toml constraints.txt README.md workspace.yaml ./
COPY pipeline pipeline
COPY dbt_project dbt_project
COPY examples examples
RUN pip install --no-cache-dir -c constraints.txt -e ".${EXTRAS:+[$EXTRAS]}"

# The user owns data/ and nothing else; its home is there, too, since DuckDB keeps its extensions in its user's home.
RUN useradd --uid 10001 --no-create-home --home-dir /app/data --shell /usr/sbin/nologin selligent \
    && install -d -o selligent -g selligent -m 700 data
USER selligent
VOLUME /app/data

# Ends the UI and its daemon in good order; a run of the command line stops at once, and the next one goes on.
STOPSIGNAL SIGINT
CMD ["python", "-m", "pipeline", "run"]
